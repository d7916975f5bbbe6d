package recipe

import (
	"strings"
	"testing"
)

// Every word that is told is one that the grammar knows.
func TestVocabulary(t *testing.T) {
	all := Vocabulary()
	if len(all) < 5 {
		t.Fatal(all)
	}
	for _, o := range all {
		if len(o.Words) < 5 {
			t.Errorf("%s has only %v", o.Option, o.Words)
		}
		for _, w := range o.Words {
			_, fields := new(parser).parse(o.Option + "_" + w)
			for _, f := range fields {
				if strings.Contains(f.Message, "there is no") {
					t.Errorf("%s_%s: %s", o.Option, w, f.Message)
				}
			}
		}
	}
}
