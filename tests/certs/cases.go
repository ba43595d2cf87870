package certs

import (
	"crypto/tls"
	"testing"
	"time"
)

// Case is a server at 127.0.0.1 and a client of it. The client's files are "" where it has none.
type Case struct {
	Server                    *tls.Config
	CAFile, CertFile, KeyFile string
	IsRefused                 bool // one of them refuses the other
}

// Cases returns servers and clients with right and wrong certificates, by name.
func Cases(tb testing.TB) map[string]Case {
	tb.Helper()
	ours, other := NewAuthority(tb), NewAuthority(tb)
	later := time.Now().Add(time.Hour)
	root, otherRoot := File(tb, ours.PEM), File(tb, other.PEM)
	server := func(name string, expires time.Time, clients *Authority) *tls.Config {
		return ServerConfig(tb, ours.Issue(tb, name, expires), clients)
	}
	withClient := func(issuer *Authority, isRefused bool) Case {
		pair := issuer.Issue(tb, "client", later)
		return Case{server("127.0.0.1", later, ours), root, File(tb, pair.Cert), File(tb, pair.Key), isRefused}
	}
	good := server("127.0.0.1", later, nil) // asks for no certificate

	return map[string]Case{
		"right":               {Server: good, CAFile: root},
		"right_client":        withClient(ours, false),
		"no_certificate":      {Server: server("127.0.0.1", later, ours), CAFile: root, IsRefused: true},
		"forged_certificate":  withClient(other, true),
		"wrong_authority":     {Server: good, CAFile: otherRoot, IsRefused: true},
		"system_authorities":  {Server: good, IsRefused: true},
		"wrong_host":          {Server: server("elsewhere.invalid", later, nil), CAFile: root, IsRefused: true},
		"expired_certificate": {Server: server("127.0.0.1", time.Now().Add(-time.Hour), nil), CAFile: root, IsRefused: true},
	}
}
