package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// introspect is how the nats CLI asks a program what it can do, when it is made
// a plugin: nats plugins register replay <path>. What it is answered becomes the
// command nats replay, which runs this program with what was written there.
const introspect = "--fisk-introspect"

// plugin is the answer, in the shape of the CLI's own library (fisk).
type plugin struct {
	Name     string          `json:"name"`
	Help     string          `json:"help"`
	Version  string          `json:"version,omitempty"`
	Commands []pluginCommand `json:"commands"`
}

type pluginCommand struct {
	Name     string          `json:"name"`
	Help     string          `json:"help"`
	HelpLong string          `json:"help_long,omitempty"`
	Args     []pluginArg     `json:"args,omitempty"`
	Flags    []pluginFlag    `json:"flags,omitempty"`
	Commands []pluginCommand `json:"commands,omitempty"`
}

type pluginArg struct {
	Name       string `json:"name"`
	Help       string `json:"help"`
	Required   bool   `json:"required,omitempty"`
	Cumulative bool   `json:"cumulative"`
}

type pluginFlag struct {
	Name       string   `json:"name"`
	Help       string   `json:"help"`
	Short      rune     `json:"short,omitempty"`
	Default    []string `json:"default,omitempty"`
	Boolean    bool     `json:"boolean"`
	Cumulative bool     `json:"cumulative"`
}

// asPlugin writes what the command line is.
func asPlugin(root *cobra.Command, w io.Writer) error {
	b, err := json.Marshal(plugin{Name: root.Name(), Help: root.Short, Version: root.Version, Commands: pluginCommands(root)})
	if err != nil {
		return fmt.Errorf("describe the commands: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s\n", b); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// pluginCommands leaves out those that cobra adds by itself: the CLI has its own.
func pluginCommands(of *cobra.Command) (all []pluginCommand) {
	for _, c := range of.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		p := pluginCommand{Name: c.Name(), Help: c.Short, HelpLong: c.Long, Commands: pluginCommands(c)}
		if len(p.Commands) == 0 { // the CLI passes on only the flags of the command that is run
			p.Args, p.Flags = pluginArgs(c), pluginFlags(c)
		}
		all = append(all, p)
	}
	return all
}

// pluginArgs reads them out of the usage line: NAME, or [NAME] where it can be
// left out; what follows a flag is its value.
func pluginArgs(c *cobra.Command) (all []pluginArg) {
	for _, word := range strings.Fields(c.Use)[1:] {
		if strings.HasPrefix(word, "-") {
			break
		}
		name := strings.Trim(word, "[]")
		all = append(all, pluginArg{Name: strings.ToLower(name), Help: name, Required: word == name})
	}
	return all
}

func pluginFlags(c *cobra.Command) (all []pluginFlag) {
	add := func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		p := pluginFlag{Name: f.Name, Help: f.Usage, Boolean: f.Value.Type() == "bool"}
		_, p.Cumulative = f.Value.(pflag.SliceValue)
		for _, short := range f.Shorthand {
			p.Short = short
		}
		if f.DefValue != "" && !p.Boolean && !p.Cumulative {
			p.Default = []string{f.DefValue}
		}
		all = append(all, p)
	}
	c.NonInheritedFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	return all
}
