package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// CheckIdentity returns ErrSchema if the ledger describes the bars of another store: this one was made anew, another
// one is configured, or one of the two was restored without the other. It changes nothing. Every read fails with its
// error until it succeeded once, whoever called it; every write compares the identities until they are bound.
func (s *LedgeredStore) CheckIdentity(ctx context.Context) error {
	_, _, err := s.compareIdentities(ctx)
	if err == nil {
		s.isVerified.Store(true)
	}

	return err
}

// ensureVerified checks the identity once.
func (s *LedgeredStore) ensureVerified(ctx context.Context) error {
	if s.isVerified.Load() {
		return nil
	}

	return s.CheckIdentity(ctx)
}

// compareIdentities returns the identity of the store and that of the ledger.
func (s *LedgeredStore) compareIdentities(ctx context.Context) (string, ledger.Identity, error) {
	described, err := s.ledger.ReadIdentity(ctx)
	if err != nil {
		return "", described, err
	}
	id, err := s.bars.Identity(ctx)
	if err != nil || !described.IsBound {
		return id, described, err
	}

	if id != described.ID {
		found := "no identity, so it is new"
		if id != "" {
			found = "the identity " + id
		}
		mismatch := fmt.Errorf("the database has %s; the coverage of its bars is that of the database with the identity "+
			"%s; configure that one, or restore it", found, described.ID)

		return id, described, &ports.Error{Kind: ports.ErrSchema, Op: "check identity", Store: s.name, Err: mismatch}
	}
	s.isBound.Store(true)

	return id, described, nil
}

// bind makes the ledger describe the bars of this store, before the first write. A store without an identity gets the
// one that the ledger proposes.
func (s *LedgeredStore) bind(ctx context.Context) error {
	if s.isBound.Load() {
		return nil
	}

	id, described, err := s.compareIdentities(ctx)
	if err != nil || described.IsBound {
		return err
	}
	if id == "" {
		if id, err = s.propose(ctx); err == nil {
			err = s.bars.SetIdentity(ctx, id)
		}
	}
	if err == nil {
		err = s.ledger.WriteIdentity(ctx, ledger.Identity{ID: id, IsBound: true})
	}
	if err == nil {
		err = s.CheckIdentity(ctx) // another process may have bound another store
	}

	return err
}

// propose returns the identity that all writers propose. It compares again, because another process may have bound the
// ledger to another store meanwhile.
func (s *LedgeredStore) propose(ctx context.Context) (string, error) {
	id := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	if err := s.ledger.WriteIdentity(ctx, ledger.Identity{ID: id}); err != nil {
		return "", err
	}
	_, proposed, err := s.compareIdentities(ctx)

	return proposed.ID, err
}
