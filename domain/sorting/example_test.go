package sorting_test

import (
	"fmt"
	"strings"

	"github.com/gal-friday/marketdata/domain/sorting"
)

func ExampleFunc() {
	symbols := []string{"ETH/USD", "BTC/USD"}
	sorting.Func(symbols, strings.Compare)
	fmt.Println(symbols)
	// Output: [BTC/USD ETH/USD]
}
