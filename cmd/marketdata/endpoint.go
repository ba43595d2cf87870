package main

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// endpoint is one of the two stores of a command: the configured store, unless its flags name another one.
type endpoint struct {
	name       string // of the flag: from or to
	role       string // for people: source or target
	config, db string
}

func (e *endpoint) register(flags *pflag.FlagSet, name, role string) {
	e.name, e.role = name, role
	flags.StringVar(&e.config, name, "",
		"configuration `file` (YAML) of the "+role+"; the environment overrides it (default the configured store)")
	flags.StringVar(&e.db, name+"-db", "", "SQLite `file` that is the "+role)
}

// isSet reports whether a flag names the endpoint.
func (e endpoint) isSet() bool { return e.config != "" || e.db != "" }

// endpointHelp explains the flags.
const endpointHelp = `--from and --to name the source and the target by a configuration file,
--from-db and --to-db by a SQLite file. One that is not named is the configured
store (--config, --db, the environment). Both must not be one database.`

// endpoints are two open stores.
type endpoints struct {
	from, to *app.Service
	limits   readLimits // of both
}

// openEndpoints opens both endpoints; at least one of them must be set, and they must be different databases. toMode
// says whether the target may be created. The caller must call the returned function when done.
func (c *command) openEndpoints(ctx context.Context, from, to endpoint, toMode openMode) (endpoints, func(), error) {
	if !from.isSet() && !to.isSet() {
		return endpoints{}, nil, userErrorf(
			"source and target are both the configured store; name another one with --from-db, --from, --to-db or --to")
	}

	left, leftConfig, closeLeft, err := c.openEndpoint(ctx, from, mustExist)
	if err != nil {
		return endpoints{}, nil, err
	}

	right, rightConfig, closeRight, err := c.openEndpoint(ctx, to, toMode)
	if err != nil {
		closeLeft()
		return endpoints{}, nil, err
	}

	done := func() { closeRight(); closeLeft() }
	if err := refuseShared(ctx, left, right, leftConfig, rightConfig); err != nil {
		done()
		return endpoints{}, nil, err
	}

	return endpoints{left, right, newReadLimits(leftConfig, rightConfig)}, done, nil
}

// refuseShared returns an error if a store of the source is one of the target, too: a file under any name or link, or a
// database of a server at the same address. Bars of an existing layout of InfluxDB may be copied to the same servers.
func refuseShared(ctx context.Context, from, to *app.Service, fromConfig, toConfig wiring.Config) error {
	if !reflect.DeepEqual(fromConfig.Influx.Existing, toConfig.Influx.Existing) {
		return nil
	}

	for name, source := range from.StoreDetails() {
		for other, target := range to.StoreDetails() {
			if name == other && isSameStore(ctx, source, target) {
				return userErrorf("source and target are both %s; name another one with --from-db, --from, --to-db or --to",
					storeText(name, source))
			}
		}
	}

	return nil
}

// isSameStore reports whether the details, which are those of two stores with the same name, are those of one store.
func isSameStore(ctx context.Context, a, b ports.StoreDetails) bool {
	if a.Address == "" && b.Address == "" {
		return isSameFile(a.Database, b.Database)
	}

	return a.Database == b.Database && isSameAddress(ctx, a.Address, b.Address)
}

// isSameAddress reports whether the addresses or URLs are equal, or have the same port on one host.
func isSameAddress(ctx context.Context, a, b string) bool {
	resolve := func(address string) (hosts []string, port string) {
		if _, rest, isURL := strings.Cut(address, "://"); isURL {
			address = rest
		}
		host, port, err := net.SplitHostPort(address)
		if err == nil {
			hosts, _ = net.DefaultResolver.LookupHost(ctx, host) // the store says what is wrong with a host
		}

		return hosts, port
	}
	left, leftPort := resolve(a)
	right, rightPort := resolve(b)
	isOneHost := slices.ContainsFunc(left, func(host string) bool { return slices.Contains(right, host) })

	return a == b || leftPort == rightPort && isOneHost
}

func (c *command) openEndpoint(
	ctx context.Context, e endpoint, mode openMode,
) (*app.Service, wiring.Config, func(), error) {
	if e.config != "" && e.db != "" {
		return nil, wiring.Config{}, nil, userErrorf(
			"--%s and --%s-db exclude each other; give one of them", e.name, e.name)
	}

	config, db := c.configPath, c.dbPath
	switch {
	case e.config != "":
		config, db = e.config, ""
	case e.db != "":
		db = e.db
	}

	cfg, err := loadConfig(config, db)
	if err != nil {
		return nil, wiring.Config{}, nil, err
	}

	md, done, err := c.openStores(ctx, cfg, db != "", mode)
	if err != nil {
		return nil, wiring.Config{}, nil, fmt.Errorf("open the %s: %w", e.role, err)
	}

	return md, cfg, done, nil
}
