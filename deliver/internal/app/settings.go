package app

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/program"
)

// Settings of deliver.
type Settings struct {
	program.Common
	bus.Config

	APIURL       string `envconfig:"REAPIT_API_URL" default:"https://platform.reapit.cloud" desc:"base of Reapit's platform API"`
	TokenURL     string `envconfig:"REAPIT_TOKEN_URL" default:"https://connect.reapit.cloud/oauth/token" desc:"where OAuth2 tokens come from"`
	ClientID     string `envconfig:"REAPIT_CLIENT_ID" required:"true" desc:"the application's client id"`
	ClientSecret string `envconfig:"REAPIT_CLIENT_SECRET" required:"true" desc:"the application's client secret"`
	APIVersion   string `envconfig:"REAPIT_API_VERSION" default:"2020-01-31" desc:"header api-version"`
	Customer     string `envconfig:"REAPIT_CUSTOMER" desc:"header reapit-customer: whose screens to notify, for all organizations; several have TENANTS_FILE"`
	TenantsFile  string `envconfig:"TENANTS_FILE" desc:"path of YAML: organization id to customer, region and negotiators; re-read on change"`
	SharedToken  bool   `envconfig:"REAPIT_SHARED_TOKEN" default:"false" desc:"a token that Reapit gives for several customers may act for all of them"`

	Region    string              `envconfig:"NUMBER_REGION" default:"GB" desc:"region of national numbers (ISO 3166)"`
	Format    string              `envconfig:"NUMBER_FORMAT" default:"national" desc:"how numbers of the region are written: national or e164"`
	Overrides directory.Overrides `envconfig:"NEGOTIATOR_OVERRIDES" desc:"comma separated user@agency.example=TST or <userId>=JAS, with REAPIT_CUSTOMER; others are matched by e-mail address"`
	Refresh   time.Duration       `envconfig:"NEGOTIATOR_REFRESH" default:"6h" desc:"full re-read of the negotiators; a minute or more"`

	Rate        float64 `envconfig:"REAPIT_RATE" default:"20" desc:"requests a second, tokens and negotiators included"`
	Concurrency int     `envconfig:"REAPIT_CONCURRENCY" default:"5" desc:"requests under way at a time"`
	Daily       int     `envconfig:"REAPIT_DAILY" default:"250000" desc:"requests in a UTC day"`

	Group bool `envconfig:"REAPIT_GROUP_TARGETS" default:"false" desc:"one request for all negotiators of a call event who are due; one each when it is refused"`

	DeadlineIncoming time.Duration `envconfig:"DEADLINE_INCOMING" default:"30s" desc:"how long after ingest heard of it an incoming call is still shown"`
	DeadlineAnswered time.Duration `envconfig:"DEADLINE_ANSWERED" default:"2m" desc:"the same for answered"`
	DeadlineEnded    time.Duration `envconfig:"DEADLINE_ENDED" default:"10m" desc:"the same for ended"`
	DeadlineMissed   time.Duration `envconfig:"DEADLINE_MISSED" default:"24h" desc:"the same for missed"`

	Shadow   bool          `envconfig:"DELIVER_SHADOW" default:"false" desc:"do everything but POST; outcomes are recorded as shadowed"`
	LeaseTTL time.Duration `envconfig:"LEASE_TTL" default:"3s" desc:"how long a silent replica stays the one that delivers; whole seconds, up to 5m"`
	Instance string        `envconfig:"DELIVER_INSTANCE" absent:"host name" desc:"name of this replica"`
}

// Bounds of what would otherwise be taken at its word: a limit that is none, or
// that lets nothing out; reading the negotiators all the time, or never again.
const (
	leastRate, mostRate             = 0.01, 10_000.0
	mostConcurrency                 = 1000
	shortestRefresh, longestRefresh = time.Minute, 7 * 24 * time.Hour
)

// Problems implements [program.Checker].
func (s Settings) Problems() []program.Problem {
	found := append(plainURL("REAPIT_API_URL", s.APIURL), plainURL("REAPIT_TOKEN_URL", s.TokenURL)...)
	for name, wrong := range s.Invalid() {
		found = append(found, program.Problem{Setting: name, Wrong: wrong})
	}
	found = append(found, program.OneOf("NUMBER_FORMAT", s.Format, reapit.National, reapit.E164)...)
	if !reapit.KnownRegion(s.Region) {
		found = append(found, program.Problem{Setting: "NUMBER_REGION", Wrong: strconv.Quote(s.Region) + " is no region", Want: "ISO 3166, such as GB"})
	}
	found = append(found, program.Within("REAPIT_RATE", s.Rate, leastRate, mostRate)...)
	found = append(found, program.Within("REAPIT_CONCURRENCY", s.Concurrency, 1, mostConcurrency)...)
	found = append(found, program.Positive("REAPIT_DAILY", s.Daily)...)
	found = append(found, program.Within("NEGOTIATOR_REFRESH", s.Refresh, shortestRefresh, longestRefresh)...)
	for name, d := range map[string]time.Duration{
		"DEADLINE_INCOMING": s.DeadlineIncoming, "DEADLINE_ANSWERED": s.DeadlineAnswered,
		"DEADLINE_ENDED": s.DeadlineEnded, "DEADLINE_MISSED": s.DeadlineMissed,
	} {
		found = append(found, program.Positive(name, d)...)
	}
	if _, err := time.Parse(time.DateOnly, s.APIVersion); err != nil {
		found = append(found, program.Problem{Setting: "REAPIT_API_VERSION", Wrong: strconv.Quote(s.APIVersion) + " is no version", Want: "a date such as 2020-01-31"})
	}
	found = append(found, s.tenantProblems()...)
	return append(found, program.LeaseTTL(s.LeaseTTL)...)
}

func plainURL(name, value string) []program.Problem {
	u, err := url.Parse(value)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil {
		return nil
	}
	wrong := strconv.Quote(value) + " is no address"
	if strings.Contains(value, "@") {
		wrong = "it names a user or a password" // which nobody must read
	}
	return []program.Problem{{Setting: name, Wrong: wrong, Want: "http or https URL without user and password"}}
}

func (s Settings) deadlines() schedule.Deadlines {
	return schedule.Deadlines{
		event.Incoming: s.DeadlineIncoming, event.Answered: s.DeadlineAnswered, event.Ended: s.DeadlineEnded, event.Missed: s.DeadlineMissed,
	}
}

func (s Settings) instance() string {
	if s.Instance != "" {
		return s.Instance
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return host
}

func (s Settings) client() *reapit.Client {
	return reapit.New(reapit.Config{
		APIURL: s.APIURL, TokenURL: s.TokenURL, ClientID: s.ClientID, ClientSecret: s.ClientSecret, APIVersion: s.APIVersion,
		SharedToken: s.SharedToken, Concurrency: s.Concurrency,
	}, nil)
}
