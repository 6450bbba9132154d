package bus_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"ringstream/schemas/bus"
	"ringstream/schemas/bustest"
	"ringstream/schemas/topology"
)

// admission is one way to ask to be let in, and what is said of it: nothing
// when it is right.
type admission struct {
	name string
	cfg  bus.Config
	want []string // of the error; none: let in
}

// admitted tries every one as a service does: its settings, its check and its
// start, which must say the same.
func admitted(t *testing.T, cases []admission, secrets ...string) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Provision, c.cfg.Replicas, c.cfg.Partitions = bus.ProvisionVerify, 1, 1
			c.cfg.Duplicates = topology.ShortestDuplicates
			all := refusals(t, c.cfg)
			if (len(all) == 0) != (len(c.want) == 0) {
				t.Errorf("refused: %s", all)
			}
			for _, said := range all {
				for _, want := range c.want {
					if !strings.Contains(said, want) {
						t.Errorf("does not say %q: %s", want, said)
					}
				}
				for _, secret := range secrets {
					if strings.Contains(said, secret) {
						t.Errorf("tells a secret: %s", said)
					}
				}
			}
		})
	}
}

// refusals are what settings, or check and log, say is wrong; none where
// nothing is.
func refusals(t *testing.T, cfg bus.Config) []string {
	t.Helper()
	var bad []string
	for name, wrong := range cfg.Invalid() {
		bad = append(bad, name+" "+wrong)
	}
	if len(bad) > 0 {
		return []string{strings.Join(bad, "\n")}
	}
	result := bus.Check(t.Context(), cfg, "test")[0]
	log := &journal{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan *nats.Conn, 1)
	go func() {
		nc, _ := bus.Connect(ctx, cfg, "test", log.logger())
		ended <- nc
	}()
	if !result.OK {
		bustest.Eventually(t, "a line that tells why", func() bool { return log.has("level=ERROR") })
		cancel()
	}
	nc := <-ended
	if (nc != nil) != result.OK {
		t.Errorf("check says %v, and the start got %v", result, nc)
	}
	if nc == nil {
		return []string{result.Detail, log.String()}
	}
	nc.Close()
	return nil
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) logger() *slog.Logger      { return slog.New(slog.NewTextHandler(j, nil)) }
func (j *journal) has(text string) bool      { return strings.Contains(j.String(), text) }
func (j *journal) lines(text string) (n int) { return strings.Count(j.String(), text) }

const password = "pass-w0rd"

func TestUserAndPassword(t *testing.T) {
	s := bustest.RunWithoutJetStream(t, func(o *server.Options) { o.Username, o.Password = "ring", password })
	at := func(user string) string { return strings.Replace(s.URL(), "//", "//"+user+"@", 1) }
	admitted(t, []admission{
		{"settings", bus.Config{URL: s.URL(), User: "ring", Password: password}, nil},
		{"URL", bus.Config{URL: at("ring:" + password)}, nil},
		{"wrong settings", bus.Config{URL: s.URL(), User: "stream", Password: password}, []string{"Authorization Violation", "(NATS_USER, NATS_PASSWORD)"}},
		{"wrong URL", bus.Config{URL: at("stream:" + password)}, []string{"Authorization Violation", "(user and password in NATS_URL)"}},
		{"none", bus.Config{URL: s.URL()}, []string{"Authorization Violation", "it wants credentials: NATS_CREDS, NATS_USER"}},
	}, password)
}

// operator is a server in operator mode, with one account.
type operator struct {
	t       *testing.T
	server  *bustest.Server
	account nkeys.KeyPair
}

func runOperator(t *testing.T) *operator {
	t.Helper()
	key, account := keyPair(t, nkeys.CreateOperator), keyPair(t, nkeys.CreateAccount)
	trusted := jwt.NewOperatorClaims(public(t, key))
	token, err := jwt.NewAccountClaims(public(t, account)).Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	accounts := &server.MemAccResolver{}
	if err := accounts.Store(public(t, account), token); err != nil {
		t.Fatal(err)
	}
	s := bustest.RunWithoutJetStream(t, func(o *server.Options) {
		o.TrustedOperators, o.AccountResolver = []*jwt.OperatorClaims{trusted}, accounts
	})
	return &operator{t, s, account}
}

// credentials writes a .creds file for a new user of an account.
func (o *operator) credentials(path string, account nkeys.KeyPair, life time.Duration) string {
	o.t.Helper()
	user := keyPair(o.t, nkeys.CreateUser)
	claims := jwt.NewUserClaims(public(o.t, user))
	claims.Expires = time.Now().Add(life).Unix()
	token, err := claims.Encode(account)
	if err != nil {
		o.t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		o.t.Fatal(err)
	}
	content, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		o.t.Fatal(err)
	}
	return write(o.t, path, content)
}

func keyPair(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(t *testing.T, key nkeys.KeyPair) string {
	t.Helper()
	name, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCredentialsFile(t *testing.T) {
	o := runOperator(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	foreign := keyPair(t, nkeys.CreateAccount)
	creds := func(path string) bus.Config { return bus.Config{URL: o.server.URL(), Creds: path} }
	admitted(t, []admission{
		{"right", creds(o.credentials(in("right"), o.account, time.Hour)), nil},
		{"of another account", creds(o.credentials(in("foreign"), foreign, time.Hour)), []string{"Authorization Violation", "NATS_CREDS"}},
		{"expired", creds(o.credentials(in("old"), o.account, -time.Hour)), []string{"Authorization Violation", "NATS_CREDS", "expired"}},
		{"garbage", creds(write(t, in("garbage"), []byte("garbage"))), []string{"NATS_CREDS", "no credentials of a user"}},
		{"missing", creds(in("nothing")), []string{"NATS_CREDS", "no such file"}},
		{"none", creds(""), []string{"Authorization Violation", "it wants credentials: NATS_CREDS"}},
	}, "SEED", "SU")
}

// Credentials that are replaced in their file, because they expire or were
// revoked, are those of the next connection: nothing is restarted for them.
// Until then the log says, now and then, what is wrong.
func TestCredentialsAreReadAgain(t *testing.T) {
	t.Parallel() // most of it is waiting
	o := runOperator(t)
	path := o.credentials(filepath.Join(t.TempDir(), "user.creds"), o.account, 2*time.Second)
	log := &journal{}
	nc, err := bus.Connect(t.Context(), bus.Config{URL: o.server.URL(), Creds: path}, "test", log.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	bustest.Eventually(t, "the log to say why", func() bool { return log.has("Authorization Violation") && log.has("NATS_CREDS, which has expired") })
	bustest.Eventually(t, "more attempts", func() bool { return nc.Stats().Reconnects > 5 })
	if n := log.lines("Authorization Violation"); n != 1 {
		t.Errorf("said %d times: %s", n, log)
	}
	o.credentials(path, o.account, time.Hour)
	bustest.Eventually(t, "a connection", nc.IsConnected)
	if err := nc.Flush(); err != nil || nc.IsClosed() {
		t.Error(err)
	}
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	cert, key, text := a.issue(true, 24*time.Hour)
	a.cert, a.key, a.pem = cert, key, text
	return a
}

func (a *authority) issue(root bool, life time.Duration) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "ringstream"}, IsCA: root, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := a.cert, a.key
	if root {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// leaf issues a certificate and returns it and its key in PEM.
func (a *authority) leaf(life time.Duration) (cert, key []byte) {
	a.t.Helper()
	_, pair, cert := a.issue(false, life)
	der, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func runTLS(t *testing.T, a *authority, clients bool) *bustest.Server {
	t.Helper()
	pair, err := tls.X509KeyPair(a.leaf(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return bustest.RunWithoutJetStream(t, func(o *server.Options) {
		o.TLS, o.TLSVerify, o.TLSTimeout = true, clients, 5
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: a.pool(), MinVersion: tls.VersionTLS12}
		if clients {
			o.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
		}
	})
}

func TestCertificates(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	file := func(name string, content []byte) string { return write(t, filepath.Join(dir, name), content) }
	pair := func(name string, a *authority, life time.Duration) (cert, key string) {
		c, k := a.leaf(life)
		return file(name+".crt", c), file(name+".key", k)
	}
	ca, otherCA, noCA := file("ca", ours.pem), file("other-ca", other.pem), file("no-ca", []byte("garbage"))
	cert, key := pair("client", ours, time.Hour)
	strange, strangeKey := pair("strange", other, time.Hour)
	old, oldKey := pair("old", ours, -time.Hour)
	keyText, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	at, mutual, plain := runTLS(t, ours, false).URL(), runTLS(t, ours, true).URL(), bustest.RunWithoutJetStream(t).URL()
	const refused = "the server refused the client certificate (NATS_CERT, NATS_KEY)"
	admitted(t, []admission{
		{"trusted", bus.Config{URL: at, CA: ca}, nil},
		{"not trusted", bus.Config{URL: at}, []string{"127.0.0.1", "signed by unknown authority", "not trusted (NATS_CA)"}},
		{"not trusted, tls", bus.Config{URL: strings.Replace(at, "nats:", "tls:", 1), CA: otherCA}, []string{"127.0.0.1", "not trusted (NATS_CA)"}},
		{"another host", bus.Config{URL: strings.Replace(at, "127.0.0.1", "localhost", 1), CA: ca}, []string{"localhost", "not trusted (NATS_CA)"}},
		{"no CA in the file", bus.Config{URL: at, CA: noCA}, []string{"NATS_CA", "no certificate"}},
		{"no TLS there", bus.Config{URL: plain, CA: ca}, []string{"one side wants TLS"}},
		{"with a certificate", bus.Config{URL: mutual, CA: ca, Cert: cert, Key: key}, nil},
		{"with the key's text", bus.Config{URL: mutual, CA: ca, Cert: cert, Key: string(keyText)}, nil},
		{"without a certificate", bus.Config{URL: mutual, CA: ca}, []string{"the server wants a client certificate (NATS_CERT, NATS_KEY)"}},
		{"a stranger's certificate", bus.Config{URL: mutual, CA: ca, Cert: strange, Key: strangeKey}, []string{refused}},
		{"an expired certificate", bus.Config{URL: mutual, CA: ca, Cert: old, Key: oldKey}, []string{refused}},
		{"another's key", bus.Config{URL: mutual, CA: ca, Cert: cert, Key: strangeKey}, []string{"NATS_CERT", "NATS_KEY", "does not match"}},
		{"no key in the file", bus.Config{URL: mutual, CA: ca, Cert: cert, Key: noCA}, []string{"NATS_KEY"}},
		{"no such key", bus.Config{URL: mutual, CA: ca, Cert: cert, Key: filepath.Join(dir, "nothing")}, []string{"NATS_KEY", "no such file"}},
		{"broken key's text", bus.Config{URL: mutual, CA: ca, Cert: cert, Key: "-----BEGIN PRIVATE KEY-----\nsecret\n-----END"}, []string{"NATS_KEY"}},
	}, "PRIVATE KEY", string(keyText))
}

// A connection that was good and is not any more because a certificate is not:
// the log says so, once.
func TestServerThatIsNotTrustedAnyMore(t *testing.T) {
	t.Parallel() // most of it is waiting
	ours, other := newAuthority(t), newAuthority(t)
	s := runTLS(t, ours, false)
	path := write(t, filepath.Join(t.TempDir(), "ca"), ours.pem)
	log := &journal{}
	nc, err := bus.Connect(t.Context(), bus.Config{URL: s.URL(), CA: path}, "test", log.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	write(t, path, other.pem)
	s.Stop()
	bustest.Eventually(t, "the log to say that nobody is there", func() bool { return log.has("is a server running there? (NATS_URL)") })
	s.Start()
	bustest.Eventually(t, "the log to say why", func() bool { return log.has("not trusted (NATS_CA)") })
	write(t, path, ours.pem)
	bustest.Eventually(t, "a connection", nc.IsConnected)
	if n := log.lines("not trusted (NATS_CA)"); n != 1 {
		t.Errorf("said %d times: %s", n, log)
	}
}
