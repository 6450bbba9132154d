// Package bus makes JetStream honour the contract of package topology.
//
// It owns five things that every service must do the same way: connecting
// (which never gives up), creating or verifying the streams, publishing in
// order without loss ([Publisher]), reading in order without acknowledgements
// ([Read]), the fenced log ([Log]), in which only one of several competing
// writers can append, and the leases that decide who works ([Leases]).
//
// It refuses to change a stream that exists: a difference is an error that
// names it. Callers owe it one thing: after any error of a Log they stop, drop
// what they had in flight and open it anew.
package bus

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringstream/schemas/topology"
)

// Sentinels of the package.
var (
	// ErrFenced means that another writer appended to a log, or that a message
	// of this writer was lost on the way: the state of this writer is stale.
	ErrFenced = errors.New("log has another position than expected")
	// ErrLeaseLost means that a lease expired or was taken by somebody else.
	ErrLeaseLost = errors.New("lease lost")
	// ErrDiffers means that a stream on the server is not as the contract says.
	ErrDiffers = errors.New("stream differs from the contract")
	// ErrNoJetStream means that nobody answers for JetStream.
	ErrNoJetStream = errors.New("JetStream is not enabled on this server (nats-server -js) or not for this account (NATS_URL)")
	// ErrOffline means that there is no connection to any server just now.
	ErrOffline = errors.New("not connected to NATS")
	// ErrLeaderless means that a majority of a stream's servers is missing: nothing
	// is stored, though one that is left tells what the stream is.
	ErrLeaderless = errors.New("stream has no leader")
	// ErrMissing means that a stream of the contract does not exist.
	ErrMissing = errors.New("stream does not exist")
	// ErrReplicas means that there can be no more than one replica.
	ErrReplicas = errors.New("a single server keeps one replica of a stream (STREAM_REPLICAS)")
	// ErrNotAllowed means that the server refuses this user something.
	ErrNotAllowed = errors.New("this user has no permission")
)

// Config is how a service reaches NATS and what it expects there. The tags are
// the settings' names, defaults and meanings.
type Config struct {
	URL        string        `envconfig:"NATS_URL" default:"nats://127.0.0.1:4222" desc:"NATS servers, comma separated"`
	Creds      string        `envconfig:"NATS_CREDS" desc:"path of a user credentials file"`
	User       string        `envconfig:"NATS_USER" desc:"user name"`
	Password   string        `envconfig:"NATS_PASSWORD" desc:"password"`
	CA         string        `envconfig:"NATS_CA" desc:"path of the CA certificates to trust"`
	Cert       string        `envconfig:"NATS_CERT" desc:"path of the client certificate"`
	Key        string        `envconfig:"NATS_KEY" desc:"path of the client certificate's key, or the key itself in PEM"`
	Provision  string        `envconfig:"NATS_PROVISION" default:"verify" desc:"create: create missing streams at start; verify: refuse to start if they differ"`
	Replicas   int           `envconfig:"STREAM_REPLICAS" default:"1" desc:"replicas of created streams: 1, 3 or 5"`
	Duplicates time.Duration `envconfig:"DUPLICATE_WINDOW" default:"10m" desc:"for how long RTE knows a message again that is sent twice; 10m or more, about 0.2 kB of the server's memory each"`
	Partitions int           `envconfig:"PARTITIONS" default:"4" desc:"partitions of RTE; refused when it differs from the existing streams"`
}

// The two values of NATS_PROVISION.
const (
	ProvisionCreate = "create"
	ProvisionVerify = "verify"
)

// Layout is the part of the settings that decides which streams there are.
func (c Config) Layout() topology.Layout {
	return topology.Layout{Partitions: c.Partitions, Replicas: c.Replicas, Duplicates: c.Duplicates}
}

// Servers splits NATS_URL.
func (c Config) Servers() []string {
	var urls []string
	for s := range strings.SplitSeq(c.URL, ",") {
		if s = strings.TrimSpace(s); s != "" {
			urls = append(urls, s)
		}
	}
	return urls
}

// Invalid reports settings that cannot work, by name.
func (c Config) Invalid() map[string]string {
	bad := map[string]string{}
	if len(c.Servers()) == 0 {
		bad["NATS_URL"] = "names no server; expected for example nats://127.0.0.1:4222"
	}
	if c.Provision != ProvisionCreate && c.Provision != ProvisionVerify {
		bad["NATS_PROVISION"] = fmt.Sprintf("is %q; expected create or verify", c.Provision)
	}
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		bad["STREAM_REPLICAS"] = fmt.Sprintf("is %d; expected 1, 3 or 5", c.Replicas)
	}
	if c.Duplicates < topology.ShortestDuplicates {
		bad["DUPLICATE_WINDOW"] = fmt.Sprintf("is %v; expected %v or more", c.Duplicates, topology.ShortestDuplicates)
	}
	if c.Partitions < 1 || c.Partitions > topology.MaxPartitions {
		bad["PARTITIONS"] = fmt.Sprintf("is %d; expected 1 to %d", c.Partitions, topology.MaxPartitions)
	}
	for _, s := range c.Servers() {
		if err := address(s); err != nil {
			bad["NATS_URL"] = fmt.Sprintf("has no address in it that can be used: %v; expected for example nats://127.0.0.1:4222", err)
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		bad["NATS_CERT"] = "is of use only together with NATS_KEY; set both or none"
	}
	maps.Copy(bad, c.unusable())
	return bad
}

// address checks one server of NATS_URL. The error never holds the URL, which
// may have a password in it.
func address(server string) error {
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	var bad *url.Error
	switch {
	case errors.As(err, &bad):
		return bad.Err
	case u.Hostname() == "":
		return errors.New("it names no host")
	case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
		return fmt.Errorf("%s is no scheme of NATS", u.Scheme)
	}
	return nil
}
