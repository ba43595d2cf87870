package ingest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// TestAnotherStoreIsRefused puts another store beside a ledger: it is found before the first read, and never written.
func TestAnotherStoreIsRefused(t *testing.T) {
	t.Parallel()
	first, second := newLedgered(), newLedgered()
	for _, s := range []ledgered{first, second} {
		if err := ingest.WithLedger("new", "", s.bars, s.ledger).CheckIdentity(t.Context()); err != nil {
			t.Errorf("nothing is stored: %v", err)
		}
		writeAll(t, s, appendsOf(t, 1, 0, 10))
		if err := ingest.WithLedger("same", "", s.bars, s.ledger).CheckIdentity(t.Context()); err != nil {
			t.Error(err)
		}
	}

	for _, bars := range []*ledgertest.Bars{ledgertest.NewBars(), second.bars} {
		other := ingest.WithLedger("other", "", bars, first.ledger)
		result := other.WriteBatch(t.Context(), appendsOf(t, 1, 10, 20))[0]
		if err := other.CheckIdentity(t.Context()); !errors.Is(err, ports.ErrSchema) || !errors.Is(result.Err, ports.ErrSchema) {
			t.Errorf("got the errors %v and %v", err, result.Err)
		}
	}
	wantState(t, first, minutes(0, 10), barsOfKey(t, batchKey(0), 0, 10, 1))
}

// TestBindingThatFails lets each step of the first write fail that binds the ledger to the store. Then both are usable,
// and the same write again does it, also of another process.
func TestBindingThatFails(t *testing.T) {
	t.Parallel()
	for _, step := range []string{
		"read identity", "identity", "before propose", "after propose", "set identity", "before bind", "after bind",
	} {
		s := newLedgered()
		fail := func(name string) error {
			if name == step {
				return errOutage
			}
			return nil
		}
		request := func(_ context.Context, name string) error { return fail(name) }
		s.bars.Request.Store(&request)
		s.ledger.fault.Store(&fail)
		if result := s.WriteBatch(t.Context(), appendsOf(t, 1, 0, 10))[0]; !errors.Is(result.Err, errOutage) {
			t.Errorf("%s: got the error %v", step, result.Err)
		}
		s.bars.Request.Store(nil)
		s.ledger.fault.Store(nil)

		for from, writer := range []ledgeredPorts{s, ingest.WithLedger("other", "", s.bars, s.ledger)} {
			writeAll(t, writer, appendsOf(t, 1, from, from+1))
		}
		if err := ingest.WithLedger("new", "", s.bars, s.ledger).CheckIdentity(t.Context()); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
}

// TestBindingBesideAnother binds the ledger to another store while the first write proposes an identity: the write is
// refused, and its store does not get the identity of the other.
func TestBindingBesideAnother(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	other := ledger.Identity{ID: "other", IsBound: true}
	bind := func(name string) error {
		if name == "before propose" {
			return s.ledger.Ledger.WriteIdentity(t.Context(), other)
		}
		return nil
	}
	s.ledger.fault.Store(&bind)
	result := s.WriteBatch(t.Context(), appendsOf(t, 1, 0, 10))[0]
	id, err := s.bars.Identity(t.Context())
	if !errors.Is(result.Err, ports.ErrSchema) || id != "" || err != nil {
		t.Errorf("got the error %v; the identity of the store is %q, %v", result.Err, id, err)
	}
}

// TestFirstWritersAgree lets several processes write at once to a new store: they bind the ledger to one identity.
func TestFirstWritersAgree(t *testing.T) {
	t.Parallel()
	s := newLedgered()
	const writers = 8
	results := make(chan ports.WriteResult, writers)
	for i := range writers {
		go func() {
			writer := ingest.WithLedger("writer", "", s.bars, s.ledger)
			results <- writer.WriteBatch(t.Context(), appendsOf(t, writers, 10*i, 10*i+10)[i:i+1])[0]
		}()
	}
	for range writers {
		if result := <-results; result.Err != nil {
			t.Error(result.Err)
		}
	}
	if err := ingest.WithLedger("reader", "", s.bars, s.ledger).CheckIdentity(t.Context()); err != nil {
		t.Error(err)
	}
}
