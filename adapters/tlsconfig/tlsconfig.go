// Package tlsconfig has the settings of TLS that the adapters of servers share: trusted certificates, and connections
// that are not encrypted.
package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/gal-friday/marketdata/domain"
)

// Load returns a TLS configuration that trusts the certificates (PEM) of the file and no others. It returns nil, which
// means the certificates of the system, if path is empty. Errors wrap domain.ErrInvalid.
func Load(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil
	}

	text, err := os.ReadFile(path)
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s contains no certificate in PEM", path)
	}
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", errors.Join(err, domain.ErrInvalid))
	}

	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
