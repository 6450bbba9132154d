//go:build linux

package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ringstream/schemas/topology"
)

// What the hub does, or what stands between it, ingest and NATS. The second
// replica of ingest is the one that is hurt.
const hurt = "ingest-2"

var feedAlerts = []provocation{
	{
		alert: "RingstreamMessagesLost", place: &wholeStack, lingers: true,
		cause: func(s *site) { // of what it had heard, the disk spoils a part while it is down
			s.shut(true)
			s.calls(3)
			s.must(s.Kill(hurt))
			s.spoil()
			s.shut(false)
			s.must(s.Restart(hurt))
		},
		cure: func(s *site) { // nothing brings them back, but there is something to look at
			if kept, err := filepath.Glob(filepath.Join(s.spoolDir(), "*.damaged")); err != nil || len(kept) == 0 {
				s.t.Errorf("of the damaged files there are %v (%v)", kept, err)
			}
		},
	},
	{
		alert: "RingstreamMessagesUnheard", place: &wholeStack, lingers: true,
		cause: func(s *site) { // the hub sends an event to one connection only
			var connections []struct {
				ID    string
				Since time.Time
			}
			s.eventually(time.Minute, say("two connections that are old enough to be relied on"), func() bool {
				s.get(s.RTESim()+"/control/connections", &connections)
				return len(connections) == 2 && time.Since(connections[1].Since) > reliedOn
			})
			s.calls(1)
			s.post(s.RTESim()+"/control/send", map[string]any{"raw": s.another(), "to": connections[0].ID}, nil)
		},
		cure: func(s *site) { s.must(s.Restart(s.pod)) },
		says: map[string]string{"nats stream get RTE --last-for": "unheardIds"},
	},
	{
		alert: "RingstreamFeedUncovered", place: &wholeStack,
		fails: []string{"ingest check"}, says: map[string]string{"ingest check": "FAIL  ENREACH_SECRET_KEY"}, admits: "HTTP 401",
		cause: func(s *site) { // the key is refused, and the connections end
			s.refuseKey(true)
			s.post(s.RTESim()+"/control/drop", map[string]any{"mode": "close"}, nil)
		},
		cure: func(s *site) {
			s.refuseKey(false)
			s.must(s.Restart("ingest-1"))
			s.must(s.Restart(hurt))
		},
	},
	{
		alert: "RingstreamFeedSingle", place: &wholeStack,
		cause: func(s *site) { // one of them has an older key
			s.must(s.Set(hurt, "ENREACH_SECRET_KEY=older"))
			s.must(s.Kill(hurt))
			s.must(s.Launch(hurt))
		},
		cure: func(s *site) {
			s.must(s.Set(hurt, "ENREACH_SECRET_KEY=demo-secret"))
			s.must(s.Restart(hurt))
		},
	},
	{
		alert: "RingstreamSubscriptionRefused", place: &wholeStack,
		says: map[string]string{"ingest check": "is refused", "replay coverage": "never heard"},
		cause: func(s *site) { // the RTE user has no right to one user, who is asked for at the next start
			s.post(s.RTESim()+"/control/unauthorized", map[string]any{"entityIDs": []string{jane}}, nil)
			s.must(s.Restart("ingest-1"))
			s.must(s.Restart(hurt))
		},
		cure: func(s *site) {
			s.post(s.RTESim()+"/control/unauthorized", map[string]any{"entityIDs": []string{}}, nil)
		},
	},
	{
		alert: "RingstreamSpoolGrowing", place: &wholeStack, company: []string{"RingstreamNATSDisconnected"},
		cause: func(s *site) { s.shut(true) }, // the way to NATS is cut
		cure:  func(s *site) { s.shut(false) },
	},
	{
		alert: "RingstreamSpoolUnsafe", place: &wholeStack, company: []string{"RingstreamNATSDisconnected"}, admits: "SPOOL_DIR takes nothing",
		cause: func(s *site) { // and the disk is full, too
			s.fill(true)
			s.shut(true)
		},
		cure: func(s *site) {
			s.fill(false) // which is enough
			p, _ := s.Service(hurt)
			s.eventually(time.Minute, say("everything to be on disk"), func() bool { return strings.Contains(s.scrape(p.URL), "\nringstream_ingest_unsafe_messages 0\n") })
			s.shut(false)
		},
	},
	{
		alert: "RingstreamHubClockSkew", place: &wholeStack,
		cause: func(s *site) { // the hub dates what happens a while ahead
			s.post(s.RTESim()+"/control/send", map[string]any{
				"eventType": "UserStatus", "user": "tom", "data": map[string]any{"timestamp": time.Now().Add(20 * time.Second).UTC()},
			}, nil)
		},
		cure: func(s *site) { // its clock is right again: that shows when nothing of the last minute was ahead
			s.play(play{Text: "-- call --\n+0s UserStatus user=tom\n", Repeat: 40, Every: "2s"})
		},
	},
}

// reliedOn is how old a connection must be for a replica to know that it was passed over, and a bit more.
const reliedOn = 12 * time.Second

// must fails the test at an error.
func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// shut cuts the hurt replica off from NATS, or lets it through.
func (s *site) shut(shut bool) { s.gate.turn(shut) }

// refuseKey makes Enreach refuse the key of the RTE user.
func (s *site) refuseKey(refuse bool) {
	s.t.Helper()
	count := 0
	if refuse {
		count = math.MaxInt32
	}
	s.post(s.RTESim()+"/control/fail", map[string]any{"what": "token-401", "count": count}, nil)
}

// calls has so many customers ring jane, who does not answer.
func (s *site) calls(n int) {
	s.t.Helper()
	s.play(play{Text: "-- call --\ncaller=+447700900100 called=+442071838750\n" + strings.ReplaceAll(aRing, "USER", "jane") +
		"+0.1s UserCallInDisconnected user=jane reason=remote\n", Repeat: n, Wait: true})
}

// fill lets the hurt replica write no more to any file, as if its disk were full.
func (s *site) fill(full bool) {
	s.t.Helper()
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if full {
		limit.Cur = 0
	}
	p, _ := s.Service(hurt)
	s.must(unix.Prlimit(p.PID, unix.RLIMIT_FSIZE, &limit, nil))
}

// spoolDir is what the hurt replica keeps on disk.
func (s *site) spoolDir() string { return filepath.Join(filepath.Dir(s.LogDir()), "spool", hurt) }

// spoil changes a byte in the middle of each file of the spool.
func (s *site) spoil() {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.spoolDir(), "*.spool"))
	s.must(err)
	if len(files) == 0 {
		s.t.Fatal("the spool is empty")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		s.must(err)
		text[len(text)/2] ^= 0xff
		s.must(os.WriteFile(file, text, 0o600))
	}
}

// another is an event as the hub tells it that nobody has heard: the newest in
// RTE under a new id.
func (s *site) another() string {
	s.t.Helper()
	rte, err := s.js.Stream(s.t.Context(), topology.RTE)
	s.must(err)
	newest, err := rte.GetLastMsgForSubject(s.t.Context(), "rte.>")
	s.must(err)
	id := newest.Header.Get("ce-id")
	return strings.ReplaceAll(string(newest.Data), id, fmt.Sprintf("%08x", rand.Uint32())+id[8:])
}
