package api

import (
	"net/http"
	"time"

	"croft"
	"croft/internal/study"
)

// Rest is why this node takes no part in rounds now, and how long.
type Rest struct{ study.Rest }

// Span says how long, by the clock on this machine's wall.
func (r Rest) Span() string {
	if r.Until.IsZero() {
		return "until somebody says croft resume"
	}
	return "until " + r.Until.Local().Format("2006-01-02 15:04")
}

// Pause asks the node to rest.
type Pause struct {
	Until time.Time `json:"until,omitzero"` // zero: until resume
}

func (s Services) pause(_ *http.Request, p Pause) (*Rest, error) {
	if !p.Until.IsZero() && !p.Until.After(time.Now()) {
		return nil, croft.E(croft.ErrUsage, "that time has passed", "give one that is still to come")
	}
	if err := s.Study.Pause(p.Until); err != nil {
		return nil, err
	}
	s.Log.Info("rest", "until", p.Until)
	return s.resting()
}

func (s Services) resume(*http.Request, struct{}) (*Rest, error) {
	if err := s.Study.Resume(); err != nil {
		return nil, err
	}
	s.Log.Info("rest", "over", true)
	return s.resting()
}

// resting returns nil if the node takes its part in rounds.
func (s Services) resting() (*Rest, error) {
	r, resting, err := s.Study.Resting()
	if err != nil || !resting {
		return nil, err
	}
	return &Rest{r}, nil
}
