// Package tlsconfig has the settings of TLS that the adapters of servers share: trusted certificates, certificates of
// clients, and connections that are not encrypted.
package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/gal-friday/marketdata/domain"
)

// Files are the files (PEM) that a client uses for TLS.
type Files struct {
	CA        string // trusted certificates; those of the system if empty
	Cert, Key string // the client's certificate and its key; none if empty
}

// Load returns a TLS configuration for the files, or nil if none is named. The file of trusted certificates is read
// once. The client's certificate and key are read again for each new connection; while they cannot be read or do not
// belong together, as between the replacement of one and the other, the last pair that did is used. Errors wrap
// domain.ErrInvalid.
func Load(files Files) (*tls.Config, error) {
	if files == (Files{}) {
		return nil, nil
	}

	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if files.CA != "" {
		roots, err := loadRoots(files.CA)
		if err != nil {
			return nil, err
		}

		config.RootCAs = roots
	}
	if files.Cert != "" || files.Key != "" {
		pair := &clientPair{cert: files.Cert, key: files.Key}
		if err := pair.load(); err != nil {
			return nil, err
		}

		config.GetClientCertificate = pair.get
	}

	return config, nil
}

func loadRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s contains no certificate in PEM", path)
	}
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w: %w", err, domain.ErrInvalid)
	}

	return roots, nil
}

// clientPair is the certificate of a client with its key. It is safe for concurrent use.
type clientPair struct {
	cert, key string // files

	mu   sync.Mutex
	last *tls.Certificate // the last one that could be read
}

// load reads the files.
func (p *clientPair) load() error {
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return fmt.Errorf("cert_file %s, key_file %s: %w: %w", p.cert, p.key, err, domain.ErrInvalid)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = &pair

	return nil
}

// get is tls.Config.GetClientCertificate.
func (p *clientPair) get(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	_ = p.load() // the last pair stays in use
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.last, nil
}

// IsRefused reports whether err is that of a TLS handshake that the client or the server refused, such as for a
// certificate, and of which no retry helps.
func IsRefused(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		alert   *net.OpError
	)

	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &record) ||
		errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error") // how crypto/tls reports alerts
}
