package postgres_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// TestIdentity proves that two stores on one database agree on its identity, and that another database has another one.
func TestIdentity(t *testing.T) {
	t.Parallel()
	identity := func(dsn string) string {
		text, err := open(t, postgres.Config{DSN: secret.New(dsn)}).Identity(t.Context())
		if err != nil || text == "" {
			t.Fatalf("%q, %v", text, err)
		}

		return text
	}
	one, other := migrated.Postgres(t), migrated.Postgres(t)
	if a, b := identity(one), identity(one); a != b {
		t.Errorf("one database is %s and %s", a, b)
	}
	if a, b := identity(one), identity(other); a == b {
		t.Errorf("two databases are %s", a)
	}
}
