package rtesim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"ringstream/ingest/internal/rtesim"
)

func TestDiscovery(t *testing.T) {
	sim := start(t)
	for user, want := range map[string]int{"demo@agency.example": 1, "DEMO@agency.example": 1, "nobody@agency.example": 0} {
		status, b := request(t, http.MethodGet, sim.URL()+"/api/user?user="+user, nil)
		var found []struct {
			APIEndpoint string `json:"apiEndpoint"`
		}
		if err := json.Unmarshal(b, &found); err != nil || status != http.StatusOK || len(found) != want {
			t.Errorf("%s: %d %s", user, status, b)
		}
		if want == 1 && found[0].APIEndpoint != sim.URL()+"/" {
			t.Errorf("endpoint %s", found[0].APIEndpoint)
		}
	}
}

func TestToken(t *testing.T) {
	sim := start(t)
	for name, c := range map[string]struct {
		user, name, key string
		want            int
	}{
		"me":                {"me", "demo@agency.example", "demo-secret", 200},
		"by name":           {"demo@agency.example", "demo@agency.example", "demo-secret", 200},
		"by id":             {jane, "Demo@agency.example", "demo-secret", 200},
		"wrong key":         {"me", "demo@agency.example", "other", 401},
		"wrong user":        {"me", "other@agency.example", "demo-secret", 401},
		"no credentials":    {"me", "", "", 401},
		"in another's name": {"other@agency.example", "demo@agency.example", "demo-secret", 404},
	} {
		t.Run(name, func(t *testing.T) {
			for _, slash := range []string{"", "/"} {
				status, b := request(t, http.MethodGet, sim.URL()+"/token/"+c.user+"/rte"+slash, nil, basic(c.name, c.key)...)
				if status != c.want {
					t.Errorf("%d %s, want %d", status, b, c.want)
				}
			}
		})
	}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token(t, sim), &claims); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(claims.ExpiresAt.Time); left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %s, want an hour", left)
	}
}

func TestTheTokenIsCheckedWhenConnectingOnly(t *testing.T) {
	sim := start(t, func(s *rtesim.Settings) { s.TokenTTL = 2 * time.Second })
	c := dial(t, sim)
	stale := token(t, sim)
	negotiate := func(headers ...string) int {
		status, _ := request(t, http.MethodPost, sim.URL()+"/rte/negotiate", nil, headers...)
		return status
	}
	for name, status := range map[string]int{
		"none":           negotiate(),
		"garbage":        negotiate("Authorization", "Bearer a.b.c"),
		"another scheme": negotiate(basic("demo@agency.example", "demo-secret")...),
	} {
		if status != http.StatusUnauthorized {
			t.Errorf("token %s: %d", name, status)
		}
	}
	eventually(t, "the token expires", func() bool {
		return negotiate("Authorization", "Bearer "+stale) == http.StatusUnauthorized
	})
	if status, _ := request(t, http.MethodGet, sim.URL()+"/rte?access_token="+stale, nil); status != http.StatusUnauthorized {
		t.Errorf("connect with a stale token: %d", status)
	}
	if got := c.subscribe(item(jane, "UserStatus")); !got[0].Subscribed {
		t.Error("a connection does not survive its token")
	}
}

func TestNegotiate(t *testing.T) {
	sim := start(t)
	query := "?access_token=" + token(t, sim)
	_, b := request(t, http.MethodPost, sim.URL()+"/rte/negotiate"+query, nil)
	if s := string(b); !strings.HasPrefix(s, `{"negotiateVersion":0,"connectionId":"`) || strings.Contains(s, "connectionToken") {
		t.Errorf("version 0: %s", b)
	}
	_, b = request(t, http.MethodPost, sim.URL()+"/rte/negotiate"+query+"&negotiateVersion=1", nil)
	var n struct{ ConnectionID, ConnectionToken string }
	if err := json.Unmarshal(b, &n); err != nil || n.ConnectionToken == "" || n.ConnectionToken == n.ConnectionID {
		t.Errorf("version 1: %s", b)
	}
	for _, id := range []string{n.ConnectionID, "made-up"} {
		if status, _ := request(t, http.MethodGet, sim.URL()+"/rte"+query+"&id="+id, nil); status != http.StatusNotFound {
			t.Errorf("id %s: %d, want 404", id, status)
		}
	}
}

func TestFaults(t *testing.T) {
	sim := start(t)
	good := basic("demo@agency.example", "demo-secret")
	get := func(path string) func() int {
		return func() int { s, _ := request(t, http.MethodGet, sim.URL()+path, nil, good...); return s }
	}
	bearer := token(t, sim)
	negotiate := func() int {
		s, _ := request(t, http.MethodPost, sim.URL()+"/rte/negotiate?access_token="+bearer, nil)
		return s
	}
	for what, c := range map[string]struct {
		try   func() int
		fails int
		well  int
	}{
		"discovery-5xx": {get("/api/user?user=a"), 503, 200},
		"token-401":     {get("/token/me/rte/"), 401, 200},
		"token-429":     {get("/token/me/rte/"), 429, 200},
		"token-5xx":     {get("/token/me/rte/"), 503, 200},
		"negotiate-401": {negotiate, 401, 200},
		"negotiate-5xx": {negotiate, 503, 200},
		"connect-401":   {get("/rte?id=x&access_token=" + bearer), 401, 404}, // admitted, but the id was never negotiated
		"connect-5xx":   {get("/rte?id=x"), 503, 401},
	} {
		t.Run(what, func(t *testing.T) {
			control[object](t, sim, http.MethodPost, "fail", object{"what": what, "count": 2})
			for i, want := range []int{c.fails, c.fails, c.well} {
				if got := c.try(); got != want {
					t.Errorf("request %d: %d, want %d", i+1, got, want)
				}
			}
		})
	}
	control[object](t, sim, http.MethodPost, "fail", object{"what": "token-slow", "delay": "150ms"})
	began := time.Now()
	if got := get("/token/me/rte/")(); got != 200 || time.Since(began) < 150*time.Millisecond {
		t.Errorf("slow token: %d after %s", got, time.Since(began))
	}
	if status, b := request(t, http.MethodPost, sim.URL()+"/control/fail", object{"what": "weather"}); status != 400 || !strings.Contains(string(b), "token-slow") {
		t.Errorf("unknown fault: %d %s", status, b)
	}
}
