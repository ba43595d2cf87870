package domain

// Statistics summarizes the trading of a symbol in a window.
type Statistics struct {
	Window Range `json:"window"`

	Bars     int64   `json:"bars"`               // number of bars; without any, prices and volume are 0
	Grid     Grid    `json:"frequency,omitzero"` // of the bars
	MinPrice Decimal `json:"min_price"`          // lowest low
	MaxPrice Decimal `json:"max_price"`          // highest high
	Volume   Decimal `json:"volume"`             // total

	Quotes        int64   `json:"quotes"`         // number of quotes; without any, the spread is 0
	AverageSpread Decimal `json:"average_spread"` // mean of ask - bid, rounded half to even to 18 digits after the point
}
