package app

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringstream/deliver/internal/directory"
	"ringstream/deliver/internal/reapit"
	"ringstream/schemas/probe"
	"ringstream/schemas/program"
	"ringstream/schemas/telemetry"
)

const settingTenants = "TENANTS_FILE"

// tenantProblems are what is wrong with whose screens are notified.
func (s Settings) tenantProblems() []program.Problem {
	switch {
	case s.TenantsFile == "" && s.Customer == "":
		return []program.Problem{{
			Setting: reapit.SettingCustomer, Wrong: "is not set, nor is " + settingTenants,
			Want: "one of the two: a customer for all organizations, or the path of a file with each",
		}}
	case s.TenantsFile == "" && !reapit.ValidCustomer(s.Customer):
		return []program.Problem{{
			Setting: reapit.SettingCustomer, Wrong: strconv.Quote(s.Customer) + " is no customer", Want: "an id such as SBOX or RES-GOGO",
		}}
	case s.TenantsFile == "":
		return nil
	}
	var found []program.Problem
	if s.Customer != "" {
		found = append(found, program.Problem{Setting: settingTenants, Wrong: "is set, and " + reapit.SettingCustomer + " too", Want: "one of the two"})
	}
	if len(s.Overrides) > 0 {
		found = append(found, program.Problem{
			Setting: "NEGOTIATOR_OVERRIDES", Wrong: "is set, and " + settingTenants + " too", Want: "negotiators in that file, under their organization",
		})
	}
	if _, err := s.tenantsFile(nil).Read(); err != nil {
		found = append(found, each(settingTenants, err)...)
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

func (s Settings) tenantsFile(log *slog.Logger) *directory.File {
	return directory.NewFile(s.TenantsFile, s.Region, log)
}

// tenants are those of the file, or the one for all organizations.
func (s Settings) tenants() (directory.Tenants, error) {
	if s.TenantsFile == "" {
		return directory.Single(directory.Tenant{Customer: s.Customer, Region: s.Region, Overrides: s.Overrides}), nil
	}
	t, err := s.tenantsFile(nil).Read()
	if err != nil {
		return t, &program.SettingsError{Problems: each(settingTenants, err)} // it was good a moment ago
	}
	return t, nil
}

// known is the condition of readiness: some customer's calls can be delivered.
func known(people *directory.Directory, led bool) probe.Result {
	var r probe.Result
	states := people.States()
	words := make([]string, len(states))
	for i, s := range states {
		r.OK = r.OK || s.Known
		if words[i] = standingOf(s); len(states) > 1 {
			words[i] = s.Customer + ": " + words[i]
		}
	}
	r.Detail = strings.Join(words, "; ")
	if !r.OK && led {
		r.OK = true
		r.Detail += "; another replica delivers, and nothing is kept: this one reads them when it takes over"
	}
	return r
}

func standingOf(s directory.State) string {
	detail := "not read yet"
	if s.Known {
		detail = inWords(s.Active) + ", read " + s.Age.Round(time.Second).String() + " ago"
		if s.Kept {
			detail += " by another replica or start"
		}
	}
	if s.Trouble != nil {
		detail += "; cannot be read since " + clock(s.Since) + ": " + s.Trouble.Error()
	}
	return detail
}

// followed is the condition of a file that may change: a broken one changes
// nothing, and is told.
func followed(file *directory.File, people *directory.Directory) probe.Result {
	detail := fmt.Sprintf("%d customers", len(people.Customers()))
	if since, err := file.Trouble(); err != nil {
		detail += ", as they were before; the file cannot be used since " + clock(since) + ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return probe.Result{OK: true, Detail: detail}
}

// unknown is since when no customer's negotiators can be read, where none are known.
func unknown(people *directory.Directory) time.Duration {
	var longest time.Duration
	for _, s := range people.States() {
		switch {
		case s.Known:
			return 0
		case s.Trouble != nil:
			longest = max(longest, time.Since(s.Since))
		}
	}
	return longest
}

// rosters tells of the list of each customer there is, and of the file that names them.
type rosters struct {
	people                      *directory.Directory
	file                        *directory.File // nil: there is none
	active, age, failed, broken *prometheus.Desc
}

func newRosters(people *directory.Directory, file *directory.File) rosters {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"customer"}, nil)
	}
	return rosters{
		people: people, file: file,
		active: desc(telemetry.DeliverNegotiators, "Active negotiators known."),
		age:    desc(telemetry.DeliverDirectoryAge, "Age of the list of negotiators, since Reapit was read, by whomever."),
		failed: desc(telemetry.DeliverDirectoryFailing, "Since how long the negotiators cannot be read; 0 while they can."),
		broken: prometheus.NewDesc(telemetry.DeliverTenantsBroken, "1 while the tenants file cannot be used as it is, and an earlier content of it is.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (r rosters) Describe(to chan<- *prometheus.Desc) {
	to <- r.active
	to <- r.age
	to <- r.failed
	to <- r.broken
}

// Collect implements [prometheus.Collector].
func (r rosters) Collect(to chan<- prometheus.Metric) {
	broken := 0.0
	if r.file != nil {
		if _, err := r.file.Trouble(); err != nil {
			broken = 1
		}
	}
	to <- prometheus.MustNewConstMetric(r.broken, prometheus.GaugeValue, broken)
	for _, s := range r.people.States() {
		failing := time.Duration(0)
		if s.Trouble != nil {
			failing = time.Since(s.Since)
		}
		to <- prometheus.MustNewConstMetric(r.active, prometheus.GaugeValue, float64(s.Active), s.Customer)
		to <- prometheus.MustNewConstMetric(r.age, prometheus.GaugeValue, s.Age.Seconds(), s.Customer)
		to <- prometheus.MustNewConstMetric(r.failed, prometheus.GaugeValue, failing.Seconds(), s.Customer)
	}
}
