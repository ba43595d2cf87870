package influx_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// influx2 is a scripted InfluxDB 2 with the organisation desk.
type influx2 struct {
	mayWrite, mayAdministrate bool

	bucket  string // the only one; "" for none
	mapping string // the bucket of the mapping of marketdata; "" for none
	writes  []string
}

func (f *influx2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	fail := func(status int, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"message":%q}`, message)
	}
	var object map[string]any
	_ = json.NewDecoder(r.Body).Decode(&object) // a form has none
	if r.Method == http.MethodPost && r.URL.Path != "/query" && r.URL.Path != "/api/v2/write" {
		if !f.mayAdministrate {
			fail(http.StatusForbidden, "insufficient permissions")
			return
		}
		f.writes = append(f.writes, r.URL.Path)
	}

	switch call := r.Method + " " + r.URL.Path; {
	case call == "POST /query" && f.mapping == "":
		fail(http.StatusNotFound, "database not found: marketdata")
	case call == "POST /query":
		w.Header().Set("Content-Type", "application/x-msgpack")
		_, _ = w.Write(document(result(0, false)))
	case call == "POST /api/v2/write" && query.Get("org") != "desk":
		fail(http.StatusNotFound, "organization name not found")
	case call == "POST /api/v2/write" && query.Get("bucket") != f.bucket:
		fail(http.StatusNotFound, "bucket not found")
	case call == "POST /api/v2/write" && !f.mayWrite:
		fail(http.StatusForbidden, "insufficient permissions for write")
	case call == "POST /api/v2/write":
		fail(http.StatusBadRequest, "writing requires points")
	case call == "GET /api/v2/orgs" && query.Get("org") == "desk":
		fmt.Fprint(w, `{"orgs":[{"id":"o1"}]}`)
	case call == "GET /api/v2/buckets" && f.bucket != "" && query.Get("name") == f.bucket:
		fmt.Fprintf(w, `{"buckets":[{"id":"id of %s"}]}`, f.bucket)
	case call == "GET /api/v2/buckets":
		fmt.Fprint(w, `{"buckets":[]}`)
	case call == "POST /api/v2/buckets":
		f.bucket, _ = object["name"].(string)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":"id of %s"}`, f.bucket)
	case call == "GET /api/v2/dbrps" && f.mapping != "":
		fmt.Fprintf(w, `{"content":[{"id":"m","bucketID":"id of %s"}]}`, f.mapping)
	case call == "GET /api/v2/dbrps":
		fmt.Fprint(w, `{"content":[]}`)
	case call == "POST /api/v2/dbrps":
		id, _ := object["bucketID"].(string)
		f.mapping = strings.TrimPrefix(id, "id of ")
		w.WriteHeader(http.StatusCreated)
	default:
		fail(http.StatusNotFound, "not found")
	}
}

func openInflux2(t *testing.T, f *influx2, cfg influx.Config) *influx.Store {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	cfg.URL, cfg.Token, cfg.Lazy = server.URL, secret.New("token"), true

	return openStore(t, cfg)
}

// TestProblemsOf2 checks an organisation and a bucket that do not exist, and a token that may only read.
func TestProblemsOf2(t *testing.T) {
	t.Parallel()
	right := influx.Config{Org: "desk", Bucket: "bars"}
	for name, c := range map[string]struct {
		cfg      influx.Config
		mayWrite bool
		state    ports.Health // "" for no problem
		kind     error
		says     string
	}{
		"right":        {right, true, "", nil, ""},
		"organisation": {influx.Config{Org: "other", Bucket: "bars"}, true, ports.HealthDown, ports.ErrSchema, "organization name not found"},
		"bucket":       {influx.Config{Org: "desk", Bucket: "other"}, true, ports.HealthDown, ports.ErrSchema, "bucket not found"},
		"reader":       {right, false, ports.HealthDegraded, ports.ErrPermission, "insufficient permissions"},
	} {
		s := openInflux2(t, &influx2{mayWrite: c.mayWrite, bucket: "bars", mapping: "bars"}, c.cfg)
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		problems, err := s.Problems(t.Context())
		if err != nil || len(problems) > 0 != (c.state != "") {
			t.Errorf("%s: got %+v, %v", name, problems, err)
		}
		for _, p := range problems {
			if p.State != c.state || !errors.Is(p.Err, c.kind) || !strings.Contains(p.Detail, c.says) || p.Remedy == "" {
				t.Errorf("%s: got %+v", name, p)
			}
		}
	}

	s := openInflux2(t, &influx2{bucket: "bars"}, right)
	if err := s.Check(t.Context()); !errors.Is(err, ports.ErrSchema) || !strings.Contains(err.Error(), "run marketdata migrate to create bucket and DBRP mapping") {
		t.Errorf("no mapping: got %v", err)
	}
}

// TestMigrate2 creates bucket and mapping where they are missing and the token may, and else tells the commands.
func TestMigrate2(t *testing.T) {
	t.Parallel()
	cfg := influx.Config{Org: "desk", Bucket: "it's bars"}
	for name, c := range map[string]struct {
		server influx2
		cfg    influx.Config
		writes []string
		kind   error
		says   string
	}{
		"nothing there": {influx2{mayAdministrate: true}, cfg, []string{"/api/v2/buckets", "/api/v2/dbrps"}, nil, ""},
		"no mapping":    {influx2{mayAdministrate: true, bucket: cfg.Bucket}, cfg, []string{"/api/v2/dbrps"}, nil, ""},
		"all there":     {influx2{bucket: cfg.Bucket, mapping: cfg.Bucket}, cfg, nil, nil, ""},
		"not permitted": {influx2{}, cfg, nil, ports.ErrPermission,
			`influx bucket create --org 'desk' --name 'it'\''s bars' --retention 0`},
		"mapping not permitted": {influx2{bucket: cfg.Bucket}, cfg, nil, ports.ErrPermission, "influx v1 dbrp create --org 'desk'"},
		"other mapping": {influx2{mayAdministrate: true, bucket: cfg.Bucket, mapping: "other"}, cfg, nil, ports.ErrSchema,
			"leads to another bucket"},
		"other organisation": {influx2{mayAdministrate: true}, influx.Config{Org: "other", Bucket: "bars"}, nil, ports.ErrSchema,
			"MARKETDATA_INFLUX_ORG"},
	} {
		server := c.server
		s := openInflux2(t, &server, c.cfg)
		created, err := s.Migrate(t.Context())
		if (err == nil) != (c.kind == nil) || c.kind != nil && !errors.Is(err, c.kind) || !slices.Equal(server.writes, c.writes) ||
			err == nil && created != (len(c.writes) > 0) {
			t.Errorf("%s: got %t, %v after the writes %v", name, created, err, server.writes)
		}
		if err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v without %q", name, err, c.says)
		}
		if err != nil {
			continue
		}
		if again, err := s.Migrate(t.Context()); again || err != nil {
			t.Errorf("%s again: got %t, %v", name, again, err)
		}
	}
}

// TestBucketOnAServer finds the problems, and creates bucket and mapping, on a real InfluxDB 2.
func TestBucketOnAServer(t *testing.T) {
	t.Parallel()
	server := servers.Influx(t)
	if server.Org == "" {
		t.Skip("the server is InfluxDB 1.8")
	}

	wantProblem := func(what string, cfg influx.Config, state ports.Health) {
		t.Helper()
		cfg.Lazy = true
		problems, err := openStore(t, cfg).Problems(t.Context())
		if err != nil || (state == "") != (len(problems) == 0) || state != "" && problems[0].State != state {
			t.Errorf("%s: got %+v, %v; want %q", what, problems, err, state)
		}
	}
	right := configOf(server)
	wantProblem("right", right, "")
	reader, org, bucket := right, right, right
	reader.Token, org.Org, bucket.Bucket = secret.New(server.NewToken(t, true)), "none", "none"
	wantProblem("a token that may only read", reader, ports.HealthDegraded)
	wantProblem("organisation", org, ports.HealthDown)
	wantProblem("bucket", bucket, ports.HealthDown)

	made := right
	made.Lazy, made.Bucket, made.Database = true, right.Bucket+"_made", right.Database+"_made"
	reader.Lazy, reader.Bucket, reader.Database = true, made.Bucket, made.Database
	if _, err := openStore(t, reader).Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "influx bucket create") {
		t.Errorf("a token that may not administrate: got %v", err)
	}
	s := openStore(t, made)
	for _, want := range []bool{true, false} {
		if created, err := s.Migrate(t.Context()); created != want || err != nil {
			t.Errorf("got %t, %v; want %t", created, err, want)
		}
	}
	bars := minuteBars(t, recordedKey, 3)
	write(t, s, bars)
	if got, err := readAll(t, s, queryOf(bars)); err != nil || !got.Equal(bars) {
		t.Errorf("got %s, %v", got, err)
	}
}
