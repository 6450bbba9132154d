package directory

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrOverride is wrapped by every error about an item of NEGOTIATOR_OVERRIDES.
var ErrOverride = errors.New("expected <user name or id>=<negotiator id>")

// Overrides says by hand who is which negotiator: user name or user id, in
// lower case, to negotiator id.
type Overrides map[string]string

var organizationID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

var negotiatorID = regexp.MustCompile(`^[A-Za-z0-9]{2,4}$`)

// ParseOverrides reads user@agency.example=TST,<userId>=JAS. It names every
// item that is wrong.
func ParseOverrides(list string) (Overrides, error) {
	o := Overrides{}
	var errs []error
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if err := o.add(item); err != nil {
			errs = append(errs, fmt.Errorf("item %q: %w", item, err))
		}
	}
	return o, errors.Join(errs...)
}

// Decode reads the setting, as envconfig asks it to.
func (o *Overrides) Decode(value string) error {
	parsed, err := ParseOverrides(value)
	if err != nil {
		return err
	}
	*o = parsed
	return nil
}

func (o Overrides) add(item string) error {
	i := strings.LastIndex(item, "=")
	if i < 0 {
		return ErrOverride
	}
	user, id := normal(item[:i]), strings.TrimSpace(item[i+1:])
	other, known := o[user]
	switch {
	case user == "":
		return fmt.Errorf("%w: names no user", ErrOverride)
	case !negotiatorID.MatchString(id):
		return fmt.Errorf("%w: a negotiator id is 2 to 4 letters and digits", ErrOverride)
	case known && other != id:
		return fmt.Errorf("%w: the same user is %s already", ErrOverride, other)
	}
	o[user] = id
	return nil
}

// of finds the override of a user, by id before name.
func (o Overrides) of(userID, userName string) (string, bool) {
	for _, key := range []string{normal(userID), normal(userName)} {
		if id, ok := o[key]; ok && key != "" {
			return id, true
		}
	}
	return "", false
}

func normal(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
