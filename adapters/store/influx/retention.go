package influx

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.RetentionReporter = (*Store)(nil)

// minRetention is the shortest duration of a retention policy that a server accepts.
const minRetention = time.Hour

// retentionPolicy is the retention policy of the database on 1.8, or the retention rule of the bucket on 2.x.
type retentionPolicy struct {
	name     string
	duration time.Duration // 0 keeps every row
}

// Retention returns the age at which the server drops bars, by its retention policy; 0 if it keeps them. It returns 0
// for an existing layout, because the coverage of such bars is inferred and ends with them.
func (s *Store) Retention(ctx context.Context) (time.Duration, error) {
	if s.layout.existing != nil {
		return 0, nil
	}

	policy, err := s.readRetentionPolicy(ctx)

	return policy.duration, translate("retention", s.database, err)
}

// checkRetention returns an error if the server would drop a bar because of its age. The server itself refuses only
// some of such bars, and only after it has stored others of the same write. It reads the policy only for old bars.
func checkRetention(bars domain.Series, read func() (retentionPolicy, error)) error {
	if bars.Len() == 0 {
		return nil
	}

	first := bars.OpenTime(0)
	age := time.Since(first)
	if age < minRetention { // saves a request for each write of new bars
		return nil
	}

	policy, err := read()
	if err != nil || policy.duration == 0 || age < policy.duration {
		return err
	}

	return fmt.Errorf("%s: the first bar opens at %s, but the retention policy %s keeps bars for %s; "+
		"write newer bars only, or make the policy keep bars for longer: %w",
		bars, first.Format(time.RFC3339), policy.name, policy.duration, domain.ErrInvalid)
}

func (s *Store) readRetentionPolicy(ctx context.Context) (retentionPolicy, error) {
	if s.org != "" {
		return s.readBucketRetention(ctx)
	}

	var found retentionPolicy
	err := s.queryRows(ctx, showRetentionPolicies(), func(t table, values []any) error {
		policy, isDefault, err := decodeRetentionPolicy(t.columns, values)
		if policy.name == s.retention || s.retention == "" && isDefault {
			found = policy
		}

		return err
	})

	return found, err
}

// decodeRetentionPolicy decodes a row of showRetentionPolicies.
func decodeRetentionPolicy(columns []string, values []any) (policy retentionPolicy, isDefault bool, err error) {
	for i, column := range columns {
		ok := true
		switch column {
		case "name":
			policy.name, ok = values[i].(string)
		case "default":
			isDefault, ok = values[i].(bool)
		case "duration":
			text, _ := values[i].(string)
			policy.duration, err = time.ParseDuration(text)
			ok = err == nil
		}
		if !ok {
			return policy, isDefault, malformedError("%v where the %s of a retention policy should be", values[i], column)
		}
	}

	return policy, isDefault, nil
}

// readBucketRetention returns the retention rule of the bucket, because InfluxQL on 2.x lists every policy as infinite.
// A bucket that the token may not read, and a server without the API, have no known rule.
func (s *Store) readBucketRetention(ctx context.Context) (retentionPolicy, error) {
	service := s.client.HTTPService()
	address := service.ServerAPIURL() + "buckets?" + url.Values{"org": {s.org}, "name": {s.bucket}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return retentionPolicy{}, err
	}

	response, err := service.DoHTTPRequestWithResponse(request, nil)
	if err != nil {
		return retentionPolicy{}, err
	}

	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return decodeBucketRetention(response.Body)
	case http.StatusNotFound:
		return retentionPolicy{}, nil
	}

	return retentionPolicy{}, newServerError(response)
}

// decodeBucketRetention decodes a list of buckets of one name.
func decodeBucketRetention(body io.Reader) (retentionPolicy, error) {
	var list struct {
		Buckets []struct {
			Name           string `json:"name"`
			RetentionRules []struct {
				EverySeconds int64 `json:"everySeconds"`
			} `json:"retentionRules"`
		} `json:"buckets"`
	}
	if err := decodeObject(body, "bucket", &list); err != nil {
		return retentionPolicy{}, err
	}

	var policy retentionPolicy
	for _, bucket := range list.Buckets {
		for _, rule := range bucket.RetentionRules {
			policy = retentionPolicy{bucket.Name, time.Duration(rule.EverySeconds) * time.Second}
		}
	}

	return policy, nil
}
