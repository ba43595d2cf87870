package sqliteconfig_test

import (
	"fmt"

	"github.com/gal-friday/marketdata/adapters/store/sqlite/sqliteconfig"
)

func ExampleConfig_Validate() {
	fmt.Println(sqliteconfig.Config{Path: "~/bars.db"}.Validate())
	fmt.Println(sqliteconfig.Config{Path: "bars.db"}.Validate())

	// Output:
	// path ~/bars.db: ~ is not expanded; write the home folder out: invalid
	// <nil>
}
