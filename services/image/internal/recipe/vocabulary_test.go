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
		if len(o.Words) < 2 {
			t.Errorf("%s has only %v", o.Option, o.Words)
		}
		for _, w := range o.Words {
			_, fields := new(parser).parse(o.Option + "_" + w)
			_, beside := new(parser).parse("l_img_1," + o.Option + "_" + w) // some words are those of an overlay alone
			for _, f := range fields {
				if len(beside) > 0 && strings.Contains(f.Message, "there is no") {
					t.Errorf("%s_%s: %s", o.Option, w, f.Message)
				}
			}
		}
	}
}
