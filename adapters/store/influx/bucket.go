package influx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gal-friday/marketdata/ports"
)

// This file administers the counterpart of a database on 2.x: a bucket of an organisation, and the DBRP mapping that
// makes it a database of InfluxQL.

// defaultPolicy is the retention policy of a mapping where none is configured.
const defaultPolicy = "autogen"

// newShards is the time that a shard of a new bucket spans, in seconds: ten years, because a write that needs many new
// shards ends in a timeout of the server.
const newShards = 10 * 365 * 24 * 60 * 60

// Problems implements ports.ProblemReporter. It tells a connection without TLS to another host. On 2.x it also tells an
// organisation or a bucket that does not exist, and a token that may not write. It writes nothing.
func (s *Store) Problems(ctx context.Context) ([]ports.Problem, error) {
	found, err := s.bucketProblems(ctx)
	return append(found, s.plaintext.Problems()...), err
}

func (s *Store) bucketProblems(ctx context.Context) ([]ports.Problem, error) {
	if s.org == "" || s.layout.existing != nil {
		return nil, nil
	}

	err := s.probeWrite(ctx)
	kind := kindOf(err)
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(kind, ports.ErrSchema):
		return []ports.Problem{s.problem(ports.HealthDown, "organisation or bucket", err)}, nil
	case errors.Is(kind, ports.ErrPermission), errors.Is(kind, ports.ErrAuth):
		return []ports.Problem{s.problem(ports.HealthDegraded, "the token may not write", err)}, nil
	}

	return nil, translate("check bucket", s.bucket, err)
}

func (s *Store) problem(state ports.Health, reason string, err error) ports.Problem {
	remedy := fmt.Sprintf("use a token that may read and write the bucket %q, if this program is to write", s.bucket)
	if state == ports.HealthDown {
		remedy = "run marketdata migrate to create the bucket, or correct MARKETDATA_INFLUX_ORG (influx.org) and " +
			"MARKETDATA_INFLUX_BUCKET (influx.bucket)"
	}
	e := &ports.Error{Kind: kindOf(err), Op: "check bucket", Store: Name, Subject: s.bucket, Err: err, Remedy: remedy}
	detail, _ := ports.SplitRemedy(e)

	return ports.Problem{State: state, Reason: reason, Detail: detail, Remedy: remedy, Err: e}
}

// probeWrite sends a write without points, which changes nothing: the server looks for the organisation, the bucket and
// the permission before it refuses it.
func (s *Store) probeWrite(ctx context.Context) error {
	err := s.callAPI(ctx, apiCall{
		method: http.MethodPost, path: "write", query: url.Values{"org": {s.org}, "bucket": {s.bucket}},
	})
	if server, ok := errors.AsType[*ServerError](err); ok && server.Status == http.StatusBadRequest {
		return nil
	}

	return err
}

// Migrate creates missing parts: the database on 1.8, as an administrator; the bucket and its mapping on 2.x, with a
// token that may. It reports whether it created anything. Where the token may not, the error is ErrPermission, and its
// remedy has the commands for somebody who may. It does not touch bars of an existing layout.
func (s *Store) Migrate(ctx context.Context) (created bool, err error) {
	switch {
	case s.layout.existing != nil:
	case s.org != "":
		created, err = s.migrateBucket(ctx)
	default:
		created, err = s.migrateDatabase(ctx)
	}
	if err == nil {
		err = s.checkSchema(ctx)
	}

	return created, translate("migrate", s.database, err)
}

func (s *Store) migrateDatabase(ctx context.Context) (created bool, err error) {
	err = s.checkSchema(ctx)
	if server, ok := errors.AsType[*ServerError](err); !ok || !strings.Contains(server.Message, "database not found") {
		return false, err
	}

	return true, s.runUnchecked(ctx, createDatabase(s.database), &valueHandler{row: ignoreRow})
}

// apiObject is an organisation, a bucket or a mapping.
type apiObject struct {
	ID       string `json:"id"`
	BucketID string `json:"bucketID"` // of a mapping
}

// apiList has the objects of one kind.
type apiList struct {
	Orgs     []apiObject `json:"orgs"`
	Buckets  []apiObject `json:"buckets"`
	Mappings []apiObject `json:"content"`
}

func (s *Store) migrateBucket(ctx context.Context) (created bool, err error) {
	found, err := s.find(ctx, "orgs", url.Values{"org": {s.org}})
	if err != nil {
		return false, s.withCommands(err)
	}
	if len(found.Orgs) == 0 {
		err := fmt.Errorf("organisation %q: not found, or the token may not see it: %w", s.org, ports.ErrSchema)
		return false, &remedyError{err, "correct MARKETDATA_INFLUX_ORG (influx.org), or " + s.commands()}
	}

	orgID := found.Orgs[0].ID
	bucketID, isNewBucket, err := s.ensureBucket(ctx, orgID)
	if err != nil {
		return false, s.withCommands(err)
	}

	isNewMapping, err := s.ensureMapping(ctx, orgID, bucketID)

	return isNewBucket || isNewMapping, s.withCommands(err)
}

// ensureBucket returns the id of the bucket, which it creates if there is none.
func (s *Store) ensureBucket(ctx context.Context, orgID string) (id string, created bool, err error) {
	found, err := s.find(ctx, "buckets", url.Values{"orgID": {orgID}, "name": {s.bucket}})
	if err != nil {
		return "", false, err
	}
	if len(found.Buckets) > 0 {
		return found.Buckets[0].ID, false, nil
	}

	var bucket apiObject
	err = s.callAPI(ctx, apiCall{method: http.MethodPost, path: "buckets", result: &bucket, body: map[string]any{
		"orgID": orgID, "name": s.bucket, "retentionRules": []map[string]any{
			{"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": newShards},
		},
	}})

	return bucket.ID, true, err
}

// ensureMapping creates the mapping of the database to the bucket, if the database has none.
func (s *Store) ensureMapping(ctx context.Context, orgID, bucketID string) (created bool, err error) {
	found, err := s.find(ctx, "dbrps", url.Values{"orgID": {orgID}, "db": {s.database}})
	if err != nil {
		return false, err
	}
	if len(found.Mappings) == 0 {
		return true, s.callAPI(ctx, apiCall{method: http.MethodPost, path: "dbrps", body: map[string]any{
			"orgID": orgID, "bucketID": bucketID, "database": s.database, "retention_policy": s.policy(), "default": true,
		}})
	}
	if slices.ContainsFunc(found.Mappings, func(m apiObject) bool { return m.BucketID == bucketID }) {
		return false, nil
	}

	err = fmt.Errorf("the DBRP mapping of the database %q leads to another bucket than %q: %w",
		s.database, s.bucket, ports.ErrSchema)

	return false, &remedyError{err, "delete it, or correct MARKETDATA_INFLUX_DATABASE or MARKETDATA_INFLUX_BUCKET"}
}

// policy returns the retention policy of the mapping.
func (s *Store) policy() string {
	if s.retention == "" {
		return defaultPolicy
	}

	return s.retention
}

// withCommands adds to the error of a token that may not administrate the commands for somebody who may.
func (s *Store) withCommands(err error) error {
	if kind := kindOf(err); err == nil || !errors.Is(kind, ports.ErrPermission) && !errors.Is(kind, ports.ErrAuth) {
		return err
	}

	return &remedyError{err, s.commands()}
}

// commands returns the commands that create the bucket and the mapping.
func (s *Store) commands() string {
	org, bucket := shellQuote(s.org), shellQuote(s.bucket)

	return fmt.Sprintf("create bucket and mapping with a token that may:\n"+
		"  influx bucket create --org %[1]s --name %[2]s --retention 0 --shard-group-duration 3650d\n"+
		"  influx v1 dbrp create --org %[1]s --bucket-id \"$(influx bucket list --org %[1]s --name %[2]s --hide-headers | "+
		"cut -f 1)\" --db %[3]s --rp %[4]s --default", org, bucket, shellQuote(s.database), shellQuote(s.policy()))
}

// shellQuote returns the text as one word of a POSIX shell.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// find returns the objects that the API lists. One that says that it has none has an empty list.
func (s *Store) find(ctx context.Context, kind string, query url.Values) (found apiList, err error) {
	err = s.callAPI(ctx, apiCall{method: http.MethodGet, path: kind, query: query, result: &found})
	if server, ok := errors.AsType[*ServerError](err); ok && server.Status == http.StatusNotFound {
		err = nil
	}

	return found, err
}

// apiCall is a request to the API of 2.x.
type apiCall struct {
	method, path string
	query        url.Values
	body         any // as JSON; nil for none
	result       any // the target of the decoded response; nil ignores it
}

// callAPI sends a request to the API of 2.x, and decodes its response.
func (s *Store) callAPI(ctx context.Context, c apiCall) error {
	var content io.Reader = http.NoBody
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			return err
		}

		content = bytes.NewReader(text)
	}

	service := s.client.HTTPService()
	address := service.ServerAPIURL() + c.path + "?" + c.query.Encode()
	request, err := http.NewRequestWithContext(ctx, c.method, address, content)
	if err != nil {
		return err
	}

	response, err := service.DoHTTPRequestWithResponse(request, nil)
	if err != nil {
		return err
	}

	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return newServerError(response)
	}
	if c.result == nil {
		return nil
	}

	return decodeObject(response.Body, c.path, c.result)
}
