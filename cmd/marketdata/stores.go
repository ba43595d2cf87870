package main

import (
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// noteStores notes which stores a command uses, so that a wrong variable or a wrong path does not go unnoticed.
func (c *command) noteStores(cfg wiring.Config, md *app.Service) {
	for name, details := range md.StoreDetails() {
		if details.Address == "" { // the SQLite file, or an empty one in place of one that does not exist
			details.Database = cfg.SQLite.Path
		}
		c.notef("using %s", storeText(name, details))
	}
}

// storeText formats a store with its address, its database and its user, as far as they are known.
func storeText(name domain.StoreName, d ports.StoreDetails) string {
	text := string(name)
	if d.Address != "" {
		text += " at " + d.Address
	}
	if d.Database != "" {
		text += ", database " + d.Database
	}
	if d.User != "" {
		text += ", user " + d.User
	}

	return text
}
