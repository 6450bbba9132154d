package replay

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ringstream/schemas/event"
)

// offers are the values that a flag of a command can have, for the shell to
// complete. A flag of a file has the shell's own completion, any other none.
var offers = map[string]map[string][]string{
	"replay run":      {"output": {"text", "json", "story"}},
	"replay diff":     {"output": {"text", "json"}},
	"replay coverage": {"output": {"text", "json"}},
	"replay explain":  {"output": {"text", "json"}},
	"replay tail":     {"output": {"text", "json"}, "type": callTypes()},
	"replay watch":    {"output": {"text", "json"}},
}

// files are the flags that name a file, by command, and of all commands.
var files = map[string]bool{"replay export output": true, "replay diff against": true, "creds": true, "ca": true, "cert": true, "key": true}

func callTypes() (names []string) {
	for _, t := range event.CallTypes() {
		names = append(names, string(t))
	}
	return names
}

// completes tells the shell what can stand behind the flags and the commands.
func completes(c *cobra.Command) {
	offer := func(f *pflag.Flag) {
		values, known := offers[c.CommandPath()][f.Name]
		switch {
		case known:
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails for a flag that c does not have
		case !files[f.Name] && !files[c.CommandPath()+" "+f.Name]:
			_ = c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
		}
	}
	c.LocalNonPersistentFlags().VisitAll(offer)
	c.PersistentFlags().VisitAll(offer)
	if name := c.Name(); name != "run" && name != "import" { // which take a bundle
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range c.Commands() {
		completes(sub)
	}
}
