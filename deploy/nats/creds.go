package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"ringstream/schemas/topology"
)

// mint makes credentials.
type mint struct {
	account string        // file of the key of an account that is there; empty: make operator and account
	life    time.Duration // of the users; 0: they do not expire
}

// made is a file that is not written yet.
type made struct {
	name string
	text []byte
}

func (m mint) run(l topology.Layout, dir string, users []string, now time.Time) error {
	roles, err := rolesOf(users)
	switch {
	case err != nil:
		return err
	case dir == "":
		return fmt.Errorf("%w: -o is missing: a directory for the files", errUsage)
	case m.life < 0:
		return fmt.Errorf("%w: -expires is less than nothing", errUsage)
	case m.account == "" && len(users) > 0:
		return fmt.Errorf("%w: some users only: of which -account?", errUsage)
	}
	files, signer, err := m.signer()
	if err != nil {
		return err
	}
	defer signer.Wipe()
	for _, r := range roles {
		text, err := m.user(r, l, signer, now)
		if err != nil {
			return fmt.Errorf("make user %s: %w", r, err)
		}
		files = append(files, made{string(r) + ".creds", text})
	}
	return save(dir, files)
}

// rolesOf are the users that are named, or all.
func rolesOf(names []string) ([]topology.Role, error) {
	if len(names) == 0 {
		return topology.Roles(), nil
	}
	var roles []topology.Role
	for _, name := range names {
		if !slices.Contains(topology.Roles(), topology.Role(name)) {
			return nil, fmt.Errorf("%w: %q is no user; there are %v", errUsage, name, topology.Roles())
		}
		roles = append(roles, topology.Role(name))
	}
	return roles, nil
}

// signer is the key of the account, and what is new with it.
func (m mint) signer() (files []made, signer nkeys.KeyPair, err error) {
	if m.account == "" {
		return authority()
	}
	seed, err := os.ReadFile(m.account)
	if err != nil {
		return nil, nil, fmt.Errorf("read the account's key: %w", err)
	}
	defer clear(seed)
	signer, err = nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return nil, nil, fmt.Errorf("read the account's key: %w", err)
	}
	if public, err := signer.PublicKey(); err != nil || !nkeys.IsValidPublicAccountKey(public) {
		return nil, nil, fmt.Errorf("read the account's key: %s holds another one", m.account)
	}
	return nil, signer, nil
}

// user signs what a role may do, for a key of its own.
func (m mint) user(r topology.Role, l topology.Layout, signer nkeys.KeyPair, now time.Time) ([]byte, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	public, err := key.PublicKey()
	if err != nil {
		return nil, err
	}
	claims := jwt.NewUserClaims(public)
	claims.Name, claims.Permissions = string(r), permissions(topology.Permissions(r, l))
	if m.life > 0 {
		claims.Expires = now.Add(m.life).Unix()
	}
	token, err := claims.Encode(signer)
	if err != nil {
		return nil, err
	}
	seed, err := key.Seed()
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return jwt.FormatUserConfig(token, seed)
}

func permissions(p topology.Permission) jwt.Permissions {
	return jwt.Permissions{Pub: jwt.Permission{Allow: p.Publish}, Sub: jwt.Permission{Allow: p.Subscribe}}
}

// save writes all of the files, for nobody else to read, or none.
func save(dir string, files []made) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.name)); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("write %s: %w, and who has it would be shut out", filepath.Join(dir, f.name), os.ErrExist)
		}
	}
	for _, f := range files {
		if err := write(filepath.Join(dir, f.name), f.text); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
