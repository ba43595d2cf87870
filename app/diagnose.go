package app

import (
	"context"

	"github.com/gal-friday/marketdata/app/health"
	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Diagnose diagnoses stores without an application over them, for one that cannot be built because a store fails. Of
// each source, only Name, Health, Pool, Cache, Unfinished and Optional are used. See ports.Diagnostics.
func Diagnose(ctx context.Context, clock ports.Clock, sources ...Source) (ports.Diagnosis, error) {
	cfg := Config{}.WithDefaults()
	settings := &access.Settings{Timeout: cfg.Timeout, StoreTimeout: cfg.StoreTimeout, Logger: cfg.Logger}

	return health.New(newStores(sources), clock, settings).Diagnose(ctx)
}

// FailedSource returns the source of a store that could not be opened, for Diagnose: it is down because of err.
func FailedSource(name domain.StoreName, err error, details ports.StoreDetails) Source {
	return Source{Name: name, Health: failedStore{err, details}, isClosed: true}
}

// failedStore is a store that could not be opened.
type failedStore struct {
	err     error
	details ports.StoreDetails
}

var _ ports.DetailReporter = failedStore{}

// Check returns the error of opening.
func (f failedStore) Check(context.Context) error { return f.err }

// Details returns the details that are known without opening.
func (f failedStore) Details() ports.StoreDetails { return f.details }
