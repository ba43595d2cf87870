package ingest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// interrupted returns a store whose replacement of the minutes 30 to 90 died when it had written half of its bars, and
// the bars before it.
func interrupted(t *testing.T) (s ledgered, old domain.Series) {
	t.Helper()
	s, old = newLedgered(), barsOf(t, 0, 120, 1)
	if _, err := ports.WriteBars(t.Context(), s, old, minutes(0, 120), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	die := func(name string) error {
		if name == "before finish" || name == "abandon" {
			return errOutage
		}
		return nil
	}
	s.ledger.fault.Store(&die)
	if _, err := s.ReplaceBars(t.Context(), barsOf(t, 30, 90, 2), minutes(30, 90)); !errors.Is(err, errOutage) {
		t.Fatalf("the replacement returned %v", err)
	}
	s.ledger.fault.Store(nil)
	s.ledger.advance(time.Minute)

	return s, old
}

// TestNextWriteKeepsTheRestOfADeadIntent writes a part of the range of a write that died. What it does not write stays
// uncovered, before and after its part.
func TestNextWriteKeepsTheRestOfADeadIntent(t *testing.T) {
	t.Parallel()
	s, old := interrupted(t)
	part := barsOf(t, 50, 60, 3)
	if _, err := ports.WriteBars(t.Context(), s, part, part.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	got, err := readContent(s, minutes(0, 120))
	want := concat(t, old.Slice(0, 30), part, old.Slice(90, 120))
	uncovered := minutes(0, 120).Subtract(got.state.Coverage)
	if err != nil || !got.bars.Equal(want) || len(uncovered) != 2 ||
		!uncovered[0].Equal(minutes(30, 50)) || !uncovered[1].Equal(minutes(60, 90)) {
		t.Errorf("got %v, uncovered %v, %v", got.bars, uncovered, err)
	}
}

// TestAnIntentIsARevision asks a process that knows the version before a write for the state during it and after it
// died: the version is another one each time something was uncovered, so that no cached block is right by accident.
func TestAnIntentIsARevision(t *testing.T) {
	t.Parallel()
	s, old := interrupted(t)
	other := ingest.WithLedger("other", "", s.bars, s.ledger)
	version := func() domain.Version {
		t.Helper()
		q := ports.SeriesQuery{Key: old.Key(), State: ports.StateQuery{Range: minutes(0, 120)}}
		states, err := other.ReadStates(t.Context(), []ports.SeriesQuery{q})
		if err != nil {
			t.Fatal(err)
		}

		return states[0].Version
	}

	died := version()
	if died.Revision != 3 { // a write is two, its intent and its end
		t.Errorf("a write and an intent that died are the version %+v", died)
	}
	if _, err := ports.WriteBars(t.Context(), s, old, minutes(0, 120), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
	if healed := version(); healed.Revision <= died.Revision || healed.Nonce == died.Nonce {
		t.Errorf("the version after the write is %+v, before it was %+v", healed, died)
	}
}

// TestIntentsAreRenewedInTime writes in requests that take some time each. The intents are renewed when 20 s are left for
// a request, and not before; a writer that was paused for longer than they live renews them, too, and fails if another
// one took its range over.
func TestIntentsAreRenewedInTime(t *testing.T) {
	t.Parallel()
	const request = 4 * time.Second
	for name, c := range map[string]struct {
		pause   time.Duration // before the last of three requests
		others  bool          // another writer takes the range over during the pause
		renewed int
		err     error
	}{
		"fast":        {pause: time.Second},
		"slow":        {pause: 2 * time.Second, renewed: 1},
		"paused":      {pause: time.Minute, renewed: 1},
		"taken over":  {pause: time.Minute, others: true, renewed: 1, err: ports.ErrConflict},
		"still alive": {pause: 29*time.Second - 2*request, others: true, renewed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &faultyLedger{Ledger: ledgertest.NewMemory()}
				bars := ledgertest.NewBars()
				s, other := ingest.WithLedger("first", "", bars, l), ingest.WithLedger("other", "", bars, l)
				ingest.SetWait(other, 0)
				renewed := 0
				count := func(call string) error {
					if call == "renew" {
						renewed++
					}
					return nil
				}
				l.fault.Store(&count)
				work := func(_ context.Context, name string) error {
					if name == "delete" || name == "write" {
						time.Sleep(request)
					}
					if name == "write" {
						time.Sleep(c.pause)
						bars.Request.Store(nil)
						if c.others {
							_, _ = ports.WriteBars(t.Context(), other, barsOf(t, 3, 4, 2), minutes(3, 4), ports.ConflictReplace)
						}
					}

					return nil
				}
				bars.Request.Store(&work)
				_, err := ports.WriteBars(t.Context(), s, barsOf(t, 0, 10, 1), minutes(0, 10), ports.ConflictReplace)
				if !errors.Is(err, c.err) || renewed != c.renewed {
					t.Errorf("got %v after %d renewals, want %v after %d", err, renewed, c.err, c.renewed)
				}
			})
		})
	}
}
