package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The card has what Croissant 1.1 requires of a dataset, its file sets, record sets and
// fields, and nothing of the rows.
func TestCroissantCard(t *testing.T) {
	var csv bytes.Buffer
	csv.WriteString("patient id,name,age,sex,ill\n")
	for i := range 60 {
		fmt.Fprintf(&csv, "%d,Ada %d,%d,%s,%s\n", 7919*i, i, 20+i%40, []string{"f", "m"}[i%2], []string{"no", "yes"}[i/7%2])
	}
	draft, err := guessText(csv.String())
	if err != nil {
		t.Fatal(err)
	}
	text, err := Croissant(Published{Name: "visits", Description: "60 rows", License: "https://spdx.org/licenses/CC-BY-4.0", URL: "urn:croft:x", Creator: "Clinic A",
		Date: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}, draft)
	if err != nil {
		t.Fatal(err)
	}
	var card map[string]any
	if err := json.Unmarshal(text, &card); err != nil {
		t.Fatal(err)
	}
	needs := func(what string, of map[string]any, keys ...string) {
		for _, k := range keys {
			if of[k] == nil || of[k] == "" {
				t.Errorf("%s has no %s", what, k)
			}
		}
	}
	needs("the dataset", card, "@context", "@type", "conformsTo", "name", "description", "license", "url", "creator", "datePublished", "distribution")
	for _, f := range card["distribution"].([]any) {
		needs("a file set", f.(map[string]any), "@type", "@id", "name", "encodingFormat", "includes")
	}
	var columns []string
	for _, r := range card["recordSet"].([]any) {
		needs("a record set", r.(map[string]any), "@type", "@id", "name", "field")
		for _, f := range r.(map[string]any)["field"].([]any) {
			needs("a field", f.(map[string]any), "@type", "@id", "name", "dataType", "source")
			columns = append(columns, fmt.Sprint(f.(map[string]any)["name"], " ", f.(map[string]any)["dataType"]))
		}
	}
	if got := strings.Join(columns, ", "); got != "age sc:Float, sex sc:Text, ill sc:Text" {
		t.Error(got)
	}
	for _, row := range []string{"Ada", "7919", "yes", "79"} {
		if bytes.Contains(text, []byte(row)) {
			t.Errorf("the card has %q", row)
		}
	}
}
