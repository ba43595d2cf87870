package influx

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gal-friday/marketdata/ports"
)

// remedyError adds the remedy to an error.
type remedyError struct {
	error
	remedy string
}

// Unwrap returns the error.
func (e *remedyError) Unwrap() error { return e.error }

// withRemedy adds the remedy to an error of the server or of the network, where one is known.
func (s *Store) withRemedy(err error) error {
	server, isServer := errors.AsType[*ServerError](err)
	switch {
	case isDial(err) && ports.ContextKind(err) == nil:
		return &remedyError{err, "start the server, or correct MARKETDATA_INFLUX_URL (influx.url)"}
	case !isServer:
		return err
	case server.Status == http.StatusUnauthorized && s.isAnonymous:
		return &remedyError{err, "no credentials are configured: set MARKETDATA_INFLUX_TOKEN (influx.token), " +
			"user:password for 1.8"}
	case server.Status == http.StatusUnauthorized:
		return &remedyError{err, "correct MARKETDATA_INFLUX_TOKEN (influx.token) or the file of influx.token_file, " +
			"user:password for 1.8"}
	case strings.Contains(server.Message, "database not found") && s.layout.existing != nil:
		return &remedyError{err, "correct MARKETDATA_INFLUX_DATABASE (influx.database)"}
	case strings.Contains(server.Message, "database not found") && s.org == "":
		return &remedyError{err, "run marketdata migrate to create it, as an administrator, or correct " +
			"MARKETDATA_INFLUX_DATABASE (influx.database)"}
	case strings.Contains(server.Message, "database not found"):
		return &remedyError{err, "run marketdata migrate to create bucket and DBRP mapping; if there are both, use a token " +
			"that may read the bucket, or correct MARKETDATA_INFLUX_DATABASE (influx.database)"}
	}

	return err
}
