package main

import (
	"fmt"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// authority makes an operator and its two accounts, that of the streams, whose
// key it returns, and that of the server itself.
func authority() (files []made, signer nkeys.KeyPair, err error) {
	operator, err := newKey(nkeys.CreateOperator)
	if err != nil {
		return nil, nil, fmt.Errorf("make operator: %w", err)
	}
	streams, err := newKey(nkeys.CreateAccount)
	if err != nil {
		return nil, nil, fmt.Errorf("make account %s: %w", account, err)
	}
	system, err := newKey(nkeys.CreateAccount)
	if err != nil {
		return nil, nil, fmt.Errorf("make account %s: %w", systemAccount, err)
	}
	resolver, err := resolver(operator, streams, system)
	if err != nil {
		return nil, nil, err
	}
	return []made{{"operator.nk", operator.seed}, {"account.nk", streams.seed}, {"system.nk", system.seed}, {"resolver.conf", resolver}}, streams.KeyPair, nil
}

const systemAccount = "SYS"

// key is one with its two forms.
type key struct {
	nkeys.KeyPair
	public string
	seed   []byte
}

func newKey(create func() (nkeys.KeyPair, error)) (k key, err error) {
	if k.KeyPair, err = create(); err != nil {
		return k, err
	}
	if k.public, err = k.PublicKey(); err != nil {
		return k, err
	}
	if k.seed, err = k.Seed(); err != nil {
		return k, err
	}
	k.seed, err = jwt.DecorateSeed(k.seed)
	return k, err
}

// resolver is the part of a server's configuration that makes it trust the
// operator and know the accounts.
func resolver(operator, streams, system key) ([]byte, error) {
	o := jwt.NewOperatorClaims(operator.public)
	o.Name, o.SystemAccount = "ringstream", system.public
	trusted, err := o.Encode(operator)
	if err != nil {
		return nil, fmt.Errorf("sign operator: %w", err)
	}
	a := jwt.NewAccountClaims(streams.public)
	a.Name = account
	// Without limits an account has no JetStream.
	a.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit, MaxAckPending: jwt.NoLimit,
	}
	known, err := a.Encode(operator)
	if err != nil {
		return nil, fmt.Errorf("sign account %s: %w", account, err)
	}
	s := jwt.NewAccountClaims(system.public)
	s.Name = systemAccount
	itself, err := s.Encode(operator)
	if err != nil {
		return nil, fmt.Errorf("sign account %s: %w", systemAccount, err)
	}
	return fmt.Appendf(nil, `operator: %s
system_account: %s
resolver: MEMORY
resolver_preload: {
  # %s
  %s: %s
  # %s
  %s: %s
}
`, trusted, system.public, account, streams.public, known, systemAccount, system.public, itself), nil
}
