package contract

// Defect is something that a store's tables may hold and no Series can.
type Defect string

// The defects that the suite asks a harness to plant.
const (
	Missing   Defect = "missing"    // one of the five numbers is absent: NULL
	NotFinite Defect = "not_finite" // one of them is not a finite number: NaN, an infinity, a text that is no number
	OffGrid   Defect = "off_grid"   // a bar opens between the edges of its grid
	Duplicate Defect = "duplicate"  // there are two bars of the open time
	Trades    Defect = "trades"     // the trade count is negative
)
