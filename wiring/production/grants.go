package production

import (
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/wiring"
)

// Grants returns the statements that give a role of the configured PostgreSQL database what it needs to be a reader, an
// importer or a migrator (see postgres.Grants), without asking the server. The errors are ErrInvalid: of the
// configuration, of a kind that is none of the three, and of a name with control characters.
func Grants(cfg wiring.Config, kind, role string) ([]string, error) {
	cfg.Cache.Redis = wiring.Redis{} // a role needs no cache
	s, err := newSettings(cfg, Options{})
	if err != nil {
		return nil, err
	}

	return postgres.Grants(postgres.Role(kind), role, postgres.DetailsOf(s.Postgres).Database)
}
