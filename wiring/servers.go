package wiring

import (
	"github.com/gal-friday/marketdata/adapters/store/influx/influxconfig"
	"github.com/gal-friday/marketdata/adapters/store/postgres/pgconfig"
)

// Postgres configures the relational store. It stores bars of an hour and longer, trades, quotes, the catalog, and the
// coverage of all bars. An empty DSN means no relational store.
type Postgres = pgconfig.Config

// Influx configures the time-series store, which stores bars shorter than an hour. An empty URL means no time-series
// store; the relational store then stores all bars.
type Influx = influxconfig.Config

// InfluxExisting is a layout with the symbol in two tags, a trading pair and an exchange, and bars of one frequency.
type InfluxExisting = influxconfig.Existing
