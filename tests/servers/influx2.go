package servers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// influx2Org is the organization of every bucket of a private InfluxDB 2.
const influx2Org = "marketdata"

// newInflux2Database returns a new bucket that InfluxQL knows as a database.
func newInflux2Database(tb testing.TB) InfluxServer {
	tb.Helper()
	api, err := newInflux2API(influx2.address(tb))
	if err != nil {
		tb.Fatal(err)
	}

	name := newDatabaseName()
	d := influx2Database{api: api}
	d.create(tb, name)

	return InfluxServer{URL: api.url, Token: api.token, Org: influx2Org, Bucket: name, Database: name, server: d}
}

// influx2Database is a bucket with the mapping that InfluxQL needs.
type influx2Database struct {
	api      influx2API
	orgID    string
	bucketID string
}

type influx2Object map[string]any

func (d *influx2Database) create(tb testing.TB, name string) {
	tb.Helper()
	d.orgID = d.api.do(tb, http.MethodGet, "/api/v2/orgs?org="+influx2Org, nil).first("orgs").id()
	d.bucketID = d.api.do(tb, http.MethodPost, "/api/v2/buckets", influx2Object{
		"orgID": d.orgID, "name": name, "retentionRules": []influx2Object{retentionRule(0, longShards)},
	}).id()
	mapping := d.api.do(tb, http.MethodPost, "/api/v2/dbrps", influx2Object{
		"orgID": d.orgID, "bucketID": d.bucketID, "database": name, "retention_policy": "autogen", "default": true,
	}).id()
	tb.Cleanup(func() {
		d.api.do(tb, http.MethodDelete, "/api/v2/dbrps/"+mapping+"?org="+influx2Org, nil)
		d.api.do(tb, http.MethodDelete, "/api/v2/buckets/"+d.bucketID, nil)
	})
}

func (d influx2Database) newToken(tb testing.TB, mayRead bool) string {
	tb.Helper()
	resource := influx2Object{"type": "labels", "orgID": d.orgID} // because a token needs a permission
	if mayRead {
		resource = influx2Object{"type": "buckets", "orgID": d.orgID, "id": d.bucketID}
	}
	authorization := d.api.do(tb, http.MethodPost, "/api/v2/authorizations", influx2Object{
		"orgID": d.orgID, "permissions": []influx2Object{{"action": "read", "resource": resource}},
	})
	tb.Cleanup(func() { d.api.do(tb, http.MethodDelete, "/api/v2/authorizations/"+authorization.id(), nil) })
	token, _ := authorization["token"].(string)

	return token
}

func (d influx2Database) setRetention(tb testing.TB, retention time.Duration) {
	tb.Helper()
	rule := retentionRule(retention, time.Hour)
	d.api.do(tb, http.MethodPatch, "/api/v2/buckets/"+d.bucketID, influx2Object{"retentionRules": []influx2Object{rule}})
}

// longShards is the time that a shard of a new bucket spans. A write that creates many shards ends in a timeout of the
// server, and tests write bars of many years.
const longShards = 10 * 365 * 24 * time.Hour

func retentionRule(retention, shard time.Duration) influx2Object {
	return influx2Object{
		"type": "expire", "everySeconds": int(retention.Seconds()), "shardGroupDurationSeconds": int(shard.Seconds()),
	}
}

// id returns the id of an object of the API.
func (o influx2Object) id() string {
	id, _ := o["id"].(string)
	return id
}

// first returns the first object of a list.
func (o influx2Object) first(list string) influx2Object {
	objects, _ := o[list].([]any)
	if len(objects) == 0 {
		return nil
	}

	object, _ := objects[0].(map[string]any)

	return object
}

// influx2API calls the API of an InfluxDB 2.
type influx2API struct{ url, token string }

// newInflux2API returns the API at an address, http://token@host:port.
func newInflux2API(address string) (influx2API, error) {
	u, err := url.Parse(address)
	if err != nil {
		return influx2API{}, err
	}

	token := u.User.Username()
	u.User = nil

	return influx2API{url: u.String(), token: token}, nil
}

// do sends a request and returns the object in its response. It fails the test unless the request succeeds.
func (a influx2API) do(tb testing.TB, method, path string, body influx2Object) influx2Object {
	tb.Helper()
	object, err := a.send(method, path, body)
	if err != nil {
		tb.Fatal(err)
	}

	return object
}

func (a influx2API) send(method, path string, body influx2Object) (influx2Object, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}

	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}

	request.Header.Set("Authorization", "Token "+a.token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // leaves no goroutine running
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}

	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, content)
	}

	var object influx2Object
	if len(content) > 0 {
		err = json.Unmarshal(content, &object)
	}

	return object, err
}

// startInflux2 starts the program that EnvInflux2 names. The address is http://token@host:port.
func startInflux2() (*process, string, error) {
	api := influx2API{token: rand.Text()}
	p, address, err := program{
		command: func(dir, address string) (*exec.Cmd, error) {
			return exec.Command(os.Getenv(EnvInflux2), "run",
				"--bolt-path", filepath.Join(dir, "bolt"), "--sqlite-path", filepath.Join(dir, "sqlite"),
				"--engine-path", filepath.Join(dir, "engine"), "--http-bind-address", address,
				"--reporting-disabled", "--log-level", "error"), nil
		},
		checkReady: func(address string) error { // a server without users lets anyone create the first one
			api.url = "http://" + address
			_, err := api.send(http.MethodPost, "/api/v2/setup", influx2Object{
				"username": "admin", "password": rand.Text(), "org": influx2Org, "bucket": "first", "token": api.token,
			})

			return err
		},
	}.start()
	u := url.URL{Scheme: "http", User: url.User(api.token), Host: address}

	return p, u.String(), err
}
