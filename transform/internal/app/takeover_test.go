package app

import (
	"flag"
	"slices"
	"syscall"
	"testing"
	"time"
)

var (
	takeOvers = flag.Int("takeovers", 12, "how often a replica is ended")
	leaseTTL  = flag.Duration("lease", time.Second, "LEASE_TTL of the replicas that are ended")
)

// within fails if the middle one of the times, which are in order, is longer than
// a limit. A worse one may have waited for the machine; a short run, as under the
// race detector, is slow as a whole and bounds nothing.
func within(t *testing.T, took []time.Duration, limit time.Duration) {
	t.Helper()
	if p50 := took[len(took)/2]; p50 > limit && !testing.Short() {
		t.Errorf("p50 %v, the limit is %v", p50, limit)
	}
}

// ended ends one replica after the other, each while events come in, and
// returns how long its partitions were without a call event of the other one,
// from the signal on.
func ended(t *testing.T, how syscall.Signal) (took []time.Duration) {
	o := newOffice(t, "a", "b")
	stop := o.traffic(2 * time.Millisecond)
	defer stop()
	rounds := *takeOvers
	if testing.Short() {
		rounds = min(rounds, 4)
	}
	for round := range rounds {
		victim, heir := o.replicas[round%2], o.replicas[(round+1)%2]
		if len(victim.holds()) == 0 {
			victim, heir = heir, victim
		}
		theirs, kept, since := victim.holds(), heir.holds(), heir.lines()
		for _, p := range kept {
			heir.firstOf(p, since)
		}
		since = heir.lines()
		signalled := time.Now()
		victim.end(how)
		for _, p := range theirs {
			took = append(took, heir.firstOf(p, since).Sub(signalled))
		}
		for _, s := range heir.says(since) {
			if s.Msg == "folding" && slices.Contains(kept, s.Partition) {
				t.Errorf("partition %d was folded anew though its replica stayed", s.Partition)
			}
		}
		victim.start()
		o.settled()
	}
	stop()
	o.compare()
	slices.Sort(took)
	t.Logf("%d partitions taken over after %v: p50 %v, max %v", len(took), how, took[len(took)/2], took[len(took)-1])
	return took
}

// A replica that is told to end hands its partitions over at once.
func TestPartitionsAreHandedOver(t *testing.T) {
	within(t, ended(t, syscall.SIGTERM), 200*time.Millisecond)
}

// One that is killed keeps them as long as its leases.
func TestPartitionsOfAKilledReplicaAreTakenOver(t *testing.T) {
	within(t, ended(t, syscall.SIGKILL), *leaseTTL+time.Second)
}

// A replica that stands still for longer than its leases neither keeps another
// one from its work nor spoils it, and gets its partitions back.
func TestPausedReplicaHoldsNobodyUp(t *testing.T) {
	t.Parallel() // most of it is waiting
	o := newOffice(t, "a", "b")
	stop := o.traffic(2 * time.Millisecond)
	defer stop()
	var took []time.Duration
	for range 3 {
		paused, other := o.replicas[0], o.replicas[1]
		if len(paused.holds()) == 0 {
			paused, other = other, paused
		}
		theirs, since := paused.holds(), other.lines()
		begun := time.Now()
		paused.signal(syscall.SIGSTOP)
		for _, p := range theirs {
			took = append(took, other.firstOf(p, since).Sub(begun))
		}
		since = paused.lines()
		paused.signal(syscall.SIGCONT)
		o.settled()
		for _, p := range theirs {
			paused.firstOf(p, since)
		}
	}
	stop()
	o.compare()
	slices.Sort(took)
	within(t, took, *leaseTTL+time.Second)
}
