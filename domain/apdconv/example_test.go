package apdconv_test

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/apdconv"
)

func Example() {
	var root apd.Decimal
	x := apdconv.FromDecimal(domain.MustDecimal("2"))
	if _, err := apd.BaseContext.WithPrecision(10).Sqrt(&root, x); err != nil {
		panic(err)
	}

	d, err := apdconv.ToDecimal(&root)
	fmt.Println(d, err)
	// Output: 1.414213562 <nil>
}
