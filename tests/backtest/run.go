package backtest

import (
	"context"

	"github.com/gal-friday/marketdata/app/record"
	"github.com/gal-friday/marketdata/domain"
	wiring "github.com/gal-friday/marketdata/wiring/backtest"
)

// Run replays the bars of the keys that open in r to the strategy. It returns the fills, and a report of the strategy's
// requests and their results.
func Run(
	ctx context.Context, store wiring.Store, keys []domain.SeriesKey, r domain.Range,
) ([]Fill, record.Report, error) {
	session, err := wiring.NewSession(store, keys, r, wiring.Options{})
	if err != nil {
		return nil, record.Report{}, err
	}

	recorder := record.New(session.Market)
	strategy := &MovingAverages{Market: recorder, Few: 5, Many: 20}
	broker := &Broker{Future: session.Future}
	for event, err := range session.Events(ctx) {
		if err != nil {
			return nil, record.Report{}, err
		}

		side, ok, err := strategy.BarClosed(ctx, event.Key)
		if err != nil {
			return nil, record.Report{}, err
		}
		if !ok {
			continue
		}
		if err := broker.Execute(ctx, event.Key, side, event.At); err != nil {
			return nil, record.Report{}, err
		}
	}

	return broker.Fills, recorder.Report(), nil
}
