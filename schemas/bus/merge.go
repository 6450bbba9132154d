package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Merge is how the server stands that feeds a stream from its sources: the
// leader of the stream.
type Merge struct {
	Leader   string
	Elected  time.Time     // tells this term of it from another
	Leads    time.Duration // for how long, by its own clock; 0: not told
	Replicas int           // of the stream, as configured
	Standby  int           // those of them that could lead in its place
	Told     bool          // whether the server tells positions
	Sources  map[string]Inflow
}

// Inflow is how far the merge of one source has got.
type Inflow struct {
	Seq    uint64        // of its newest message that is stored; 0: none yet, or not told
	Silent time.Duration // since the leader last heard anything of it; it ought to, once a second
}

const (
	infoAPI     = "$JS.API.STREAM.INFO."
	stepDownAPI = "$JS.API.STREAM.LEADER.STEPDOWN."
)

// LookUpMerge asks the leader of a stream that has sources. What the client
// library reads of the answer leaves out the position.
func LookUpMerge(ctx context.Context, js jetstream.JetStream, stream string) (Merge, error) {
	var info mergeInfo
	if err := ask(ctx, js.Conn(), infoAPI+stream, &info); err != nil {
		return Merge{}, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	return info.merge(), nil
}

// StepDown asks the leader of a stream to leave that to another replica, which
// then asks the sources anew, and at once.
func StepDown(ctx context.Context, js jetstream.JetStream, stream string) error {
	if err := ask(ctx, js.Conn(), stepDownAPI+stream, nil); err != nil {
		return fmt.Errorf("ask the leader of %s to step down: %w", stream, err)
	}
	return nil
}

// mergeInfo is what the server tells of a stream.
type mergeInfo struct {
	Config struct {
		Replicas int `json:"num_replicas"`
	} `json:"config"`
	State struct {
		LastSeq uint64 `json:"last_seq"`
	} `json:"state"`
	At      time.Time              `json:"ts"`
	Cluster *jetstream.ClusterInfo `json:"cluster"`
	Sources []struct {
		Name   string        `json:"name"`
		Seq    uint64        `json:"seq"`
		Active time.Duration `json:"active"` // -1: never
	} `json:"sources"`
}

func (i mergeInfo) merge() Merge {
	m := Merge{Replicas: i.Config.Replicas, Told: i.State.LastSeq == 0, Sources: map[string]Inflow{}}
	if c := i.Cluster; c != nil {
		m.Leader = c.Leader
		if c.LeaderSince != nil {
			m.Elected, m.Leads = *c.LeaderSince, i.At.Sub(*c.LeaderSince)
		}
		for _, peer := range c.Replicas {
			if peer.Current && !peer.Offline {
				m.Standby++
			}
		}
	}
	for _, s := range i.Sources {
		if s.Active < 0 {
			s.Active = m.Leads
		}
		m.Told = m.Told || s.Seq > 0
		m.Sources[s.Name] = Inflow{Seq: s.Seq, Silent: s.Active}
	}
	return m
}

// ask sends a request of the JetStream API that the client library has not.
func ask(ctx context.Context, nc *nats.Conn, subject string, into any) error {
	answer, err := nc.RequestWithContext(ctx, subject, nil)
	if err != nil {
		// A server that refuses a request answers nothing.
		if told := nc.LastError(); errors.Is(told, nats.ErrPermissionViolation) && strings.Contains(told.Error(), `"`+subject+`"`) {
			return fmt.Errorf("%w: publish to %s", ErrNotAllowed, subject)
		}
		return Offline(err)
	}
	var said struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &said); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if said.Error != nil {
		return said.Error
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, into)
}

// farthest is how many messages at the end of a stream are looked at for one of
// a kind.
const farthest = 16

// Newest looks for the newest message of a stream whose subject begins with
// prefix, behind a position and near the end; newest is 0 when there is none.
// last is where the stream ends.
func Newest(ctx context.Context, js jetstream.JetStream, stream, prefix string, behind uint64) (newest, last uint64, err error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, 0, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	last = s.CachedInfo().State.LastSeq
	for seq := last; seq > behind && last-seq < farthest; seq-- {
		m, err := s.GetMsg(ctx, seq)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return 0, 0, fmt.Errorf("read message %d of %s: %w", seq, stream, err)
		case strings.HasPrefix(m.Subject, prefix):
			return seq, last, nil
		}
	}
	return 0, last, nil
}
