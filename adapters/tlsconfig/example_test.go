package tlsconfig_test

import (
	"fmt"

	"github.com/gal-friday/marketdata/adapters/tlsconfig"
)

// Without a file, the certificates of the system are trusted.
func ExampleLoad() {
	fmt.Println(tlsconfig.Load(tlsconfig.Files{}))
	// Output: <nil> <nil>
}
