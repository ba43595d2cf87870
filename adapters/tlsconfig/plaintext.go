package tlsconfig

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Plaintext describes the connections of a store that are not encrypted, or may not be, and leave this host. The zero
// value means that there are none. It is immutable.
type Plaintext struct {
	store  domain.StoreName
	hosts  string // with commas between them
	remedy string // the setting that encrypts the connections
}

// NewPlaintext returns the Plaintext of a store that reaches the hosts without TLS. It leaves out unix sockets and
// hosts that are loopback by their name or address. Names are not resolved.
func NewPlaintext(store domain.StoreName, remedy string, hosts ...string) Plaintext {
	remote := slices.DeleteFunc(slices.Clone(hosts), isLocal)
	slices.Sort(remote)

	return Plaintext{store: store, hosts: strings.Join(slices.Compact(remote), ","), remedy: remedy}
}

// isLocal reports whether a connection to the host stays on this host.
func isLocal(host string) bool {
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}

	host, _, _ = strings.Cut(strings.Trim(host, "[]"), "%")
	address, err := netip.ParseAddr(host)

	return err == nil && net.IP(address.AsSlice()).IsLoopback()
}

// Check returns an error that wraps domain.ErrInvalid if there are such connections and TLS is required. If it is not
// required, Check logs a warning and returns nil. A nil logger discards the warning.
func (p Plaintext) Check(isRequired bool, logger *slog.Logger) error {
	switch {
	case p.hosts == "":
	case isRequired:
		return fmt.Errorf("require_tls is set, and the connection to %s may be without TLS; %s: %w",
			p.hosts, p.remedy, domain.ErrInvalid)
	case logger != nil:
		logger.Warn("the connection may not be encrypted", "store", string(p.store), "host", p.hosts, "remedy", p.remedy)
	}

	return nil
}

// Problems returns the warning that a diagnosis shows. It does not make the store degraded, because the store serves
// every request.
func (p Plaintext) Problems() []ports.Problem {
	if p.hosts == "" {
		return nil
	}

	return []ports.Problem{{
		State: ports.HealthOK, Reason: "the connection may not be encrypted", Remedy: p.remedy,
		Detail: "the connection to " + p.hosts + " may not be encrypted: whoever is on the way can read and change " +
			"the credentials and the data",
	}}
}
