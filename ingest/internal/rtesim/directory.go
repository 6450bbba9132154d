package rtesim

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Person is a user of the telephony.
type Person struct {
	Name     string   `json:"name"` // as scenarios call it
	ID       string   `json:"id"`
	UserName string   `json:"userName"`
	Numbers  []string `json:"numbers"`
}

// Group is a queue or a call list.
type Group struct {
	Name  string `json:"name"` // as scenarios call it
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Directory is who there is in an organization.
type Directory struct {
	Organization string   `json:"organization"`
	Users        []Person `json:"users"`
	Queues       []Group  `json:"queues"`
	CallLists    []Group  `json:"callLists"`
}

func (d *Directory) user(name string) (Person, error) {
	for _, p := range d.Users {
		if strings.EqualFold(p.Name, name) {
			return p, nil
		}
	}
	return Person{}, fmt.Errorf("unknown user %q", name)
}

func find(groups []Group, kind, name string) (Group, error) {
	for _, g := range groups {
		if strings.EqualFold(g.Name, name) {
			return g, nil
		}
	}
	return Group{}, fmt.Errorf("unknown %s %q", kind, name)
}

// readDirectoryLine adds one line of a users, queues or calllists section:
// a name and its properties.
func (d *Directory) readLine(section, line string) error {
	words, err := split(line)
	if err != nil {
		return err
	}
	p := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		p[strings.ToLower(k)] = v
	}
	id, err := uuid.Parse(p["id"])
	if err != nil {
		return fmt.Errorf("id of %s: %w", words[0], err)
	}
	group := Group{words[0], id.String(), p["title"]}
	switch section {
	case "queues":
		d.Queues = append(d.Queues, group)
	case "calllists":
		d.CallLists = append(d.CallLists, group)
	default:
		d.Users = append(d.Users, Person{words[0], id.String(), p["username"], strings.Split(p["numbers"], ",")})
	}
	return nil
}
