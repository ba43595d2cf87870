package secret_test

import (
	"encoding/json"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/secret"
)

func Example() {
	password := secret.New("correct horse")
	text, err := json.Marshal(map[string]any{"password": password})
	fmt.Printf("%v %s %v\n", password, text, err)
	fmt.Println(password.Reveal())

	// Output:
	// (hidden) {"password":"(hidden)"} <nil>
	// correct horse
}
