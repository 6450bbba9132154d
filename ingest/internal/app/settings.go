package app

import (
	"net/url"
	"os"
	"strconv"
	"strings"

	"ringstream/ingest/internal/hub"
	"ringstream/schemas/bus"
	"ringstream/schemas/program"
)

// smallestSpool has room for a few messages of the largest kind.
const smallestSpool = program.Bytes(32 << 20)

// Settings of ingest.
type Settings struct {
	program.Common
	bus.Config

	APIURL            string        `envconfig:"ENREACH_API_URL" absent:"discovered" desc:"base of Enreach's REST API"`
	DiscoveryURL      string        `envconfig:"ENREACH_DISCOVERY_URL" default:"https://discover.enreachvoice.com/api/user" desc:"where the REST API of ENREACH_USERNAME is found"`
	Username          string        `envconfig:"ENREACH_USERNAME" required:"true" desc:"user name for the REST API"`
	SecretKey         string        `envconfig:"ENREACH_SECRET_KEY" required:"true" desc:"secret key for the REST API, not the password"`
	RTEUser           string        `envconfig:"ENREACH_RTE_USER" default:"me" desc:"whose RTE token to use"`
	Subscriptions     []string      `envconfig:"RTE_SUBSCRIPTIONS" desc:"comma separated <EventName>:<EntityId>, or user:<id>, queue:<id>, calllist:<id> for every event of that kind"`
	SubscriptionsFile string        `envconfig:"RTE_SUBSCRIPTIONS_FILE" desc:"path of the same as YAML: users, queues, calllists, events; re-read on change"`
	SpoolDir          string        `envconfig:"SPOOL_DIR" default:"./spool" desc:"directory, of this replica alone, of what was heard and is not stored yet"`
	SpoolMaxBytes     program.Bytes `envconfig:"SPOOL_MAX_BYTES" default:"1GiB" desc:"most bytes in SPOOL_DIR; past it messages wait in memory, and when that is full reading stops and the gap is stated"`
	Instance          string        `envconfig:"RTE_INSTANCE" absent:"host name" desc:"name of this replica in feed events"`
}

// Problems implements [program.Checker].
func (s Settings) Problems() []program.Problem {
	found := append(plainURL("ENREACH_API_URL", s.APIURL), plainURL("ENREACH_DISCOVERY_URL", s.DiscoveryURL)...)
	fixed, err := hub.ParseWanted(s.Subscriptions)
	if err != nil {
		found = append(found, each("RTE_SUBSCRIPTIONS", err)...)
	}
	if s.SpoolMaxBytes < smallestSpool {
		found = append(found, program.Problem{Setting: "SPOOL_MAX_BYTES", Wrong: "is " + s.SpoolMaxBytes.String(), Want: smallestSpool.String() + " or more"})
	}
	wanted, err := hub.Source{Path: s.SubscriptionsFile, Fixed: fixed}.Read()
	switch {
	case err != nil:
		found = append(found, each("RTE_SUBSCRIPTIONS_FILE", err)...)
	case wanted.Empty() && len(s.Subscriptions) == 0:
		found = append(found, program.Problem{
			Setting: "RTE_SUBSCRIPTIONS", Wrong: "names nothing to subscribe, nor does RTE_SUBSCRIPTIONS_FILE",
			Want: "for example user:<id>, with a GUID of RTE",
		})
	}
	return found
}

func each(setting string, err error) []program.Problem {
	var found []program.Problem
	for line := range strings.SplitSeq(err.Error(), "\n") {
		found = append(found, program.Problem{Setting: setting, Wrong: line})
	}
	return found
}

func plainURL(name, value string) []program.Problem {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil {
		return nil
	}
	return []program.Problem{{Setting: name, Wrong: strconv.Quote(value) + " is no address", Want: "http or https URL without user and password"}}
}

// source is what Problems has found to be readable.
func (s Settings) source() hub.Source {
	fixed, _ := hub.ParseWanted(s.Subscriptions)
	return hub.Source{Fixed: fixed, Path: s.SubscriptionsFile}
}

func (s Settings) instance() string {
	if s.Instance != "" {
		return s.Instance
	}
	name, err := os.Hostname()
	if err != nil {
		return "ingest"
	}
	return name
}
