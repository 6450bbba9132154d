package app

import "time"

// When the merge of a log into CALLS counts as stalled, and what is done about
// it how often. nats-server itself looks every 10 s, asks an absent source for
// up to 30 s, and rests for 10 s, 20 s … after that.
const (
	standLimit    = 2 * time.Second        // for how long CALLS may stand still though the log has more
	silenceLimit  = 3 * time.Second        // for how long its leader may hear nothing of a log, which tells of itself once a second
	sureOfSilence = 500 * time.Millisecond // for how long that is looked at: the log answers meanwhile
	longestLook   = time.Second            // what one look counts for at most: this replica may have stood still itself
	firstTerm     = 3 * time.Second        // what a new leader is given to ask its sources
	firstGap      = 5 * time.Second        // until the next attempt, if one does not help; each of them doubles it
	longestGap    = 5 * time.Minute
)

// sight is what one look saw of the merge of a log.
type sight struct {
	newest uint64        // position of the log's newest call event
	merged uint64        // which position CALLS has got to
	silent time.Duration // since the leader of CALLS heard of the log
}

func (g sight) behind() bool { return g.newest > g.merged }

// course is what all looks at the merge of a log come to.
type course struct {
	at      time.Time     // of the last look; zero: it was not answered
	last    sight         // what the last one that was answered saw
	still   time.Duration // for how long CALLS was seen to stand though the log had more
	unheard time.Duration // for how long its leader was seen to have heard nothing for too long
	goal    uint64        // what the log had at a time, so that its reaching CALLS tells how long that takes
	set     time.Time
	tries   int // to get it going, since it last had caught up
	tried   time.Time
}

// saw adds a look that was answered.
func (c course) saw(now time.Time, g sight) course {
	var since time.Duration
	if !c.at.IsZero() {
		since = min(now.Sub(c.at), longestLook)
	}
	c.still, c.unheard = c.still+since, c.unheard+since
	if !g.behind() || !c.last.behind() || g.merged != c.last.merged {
		c.still = 0
	}
	if g.silent < silenceLimit {
		c.unheard = 0
	}
	if g.merged >= c.goal {
		c.goal, c.set = g.newest, now
	}
	if !g.behind() && g.silent < silenceLimit {
		c.tries = 0
	}
	c.at, c.last = now, g
	return c
}

// missed adds a look that was not answered. A time in which nobody could see
// whether CALLS moves counts for nothing.
func (c course) missed() course {
	c.at = time.Time{}
	return c
}

// lag is for how long CALLS has lacked something that the log has.
func (c course) lag(now time.Time) time.Duration {
	if c.last.merged >= c.goal {
		return 0
	}
	return now.Sub(c.set)
}

// stalled tells whether the merge is not going on.
func (c course) stalled() bool {
	return !c.at.IsZero() && (c.still >= standLimit || c.unheard >= sureOfSilence)
}

// asked adds an attempt to get the merge going.
func (c course) asked(now time.Time) course {
	c.tries, c.tried = c.tries+1, now
	return c
}

// gap is how long to wait after the last attempt.
func (c course) gap() time.Duration {
	if c.tries == 0 {
		return 0
	}
	return min(firstGap<<min(c.tries-1, 10), longestGap)
}

// chair is who leads CALLS, as far as it matters for replacing it.
type chair struct {
	leads             time.Duration
	replicas, standby int
}

// remedy is what to do about a merge. Its text is for people.
type remedy string

const (
	nothing  remedy = ""
	stepDown remedy = "its leader is asked to step down"
	barred   remedy = "transform may not ask its leader to step down"
	newTerm  remedy = "its leader is new and is given time"
	patient  remedy = "its leader was asked to step down, and has a while"
	thin     remedy = "too few of its replicas are up to date to choose another leader"
	single   remedy = "it has one replica, so no other leader to choose: nats-server asks its sources again after 10 s or more"
)

// judge decides. Nothing is done where an election could fail, where one has
// just been, or where the last one has not helped yet.
func judge(now time.Time, c course, lead chair) remedy {
	switch {
	case !c.stalled():
		return nothing
	case lead.replicas < 2:
		return single
	case 2*(lead.standby+1) <= lead.replicas || lead.standby == 0:
		return thin
	case lead.leads < firstTerm:
		return newTerm
	case now.Sub(c.tried) < c.gap():
		return patient
	default:
		return stepDown
	}
}
