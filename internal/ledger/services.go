package ledger

import (
	"slices"
	"strings"

	"croft"
)

// A service is published by its provider, and published again to change or withdraw
// it; channels that are open stay. Whoever serves the model of a study may offer it
// to nobody whom the study's sites did not agree to.
//
// Keys: service/ID → croft.Service · services → number · service-at/N → ServiceID

// Publish puts a service on the ledger or replaces it.
type Publish struct {
	Service croft.Service `cbor:"1,keyasint"`
}

// ServicesKey holds how many services there ever were.
const ServicesKey = "services"

// ServiceKey holds a croft.Service.
func ServiceKey(id croft.ServiceID) string { return "service/" + id.String() }

// ServiceAtKey holds the id of the n-th service, counted from 0.
func ServiceAtKey(n uint32) string { return "service-at/" + number(n) }

func (s *State) service(id croft.ServiceID) (croft.Service, error) {
	v, known := read[croft.Service](s, ServiceKey(id))
	if !known {
		return v, croft.E(croft.ErrTxUnknown, "service", id.Short())
	}
	return v, nil
}

func (s *State) publish(by croft.MemberID, p *Publish) error {
	v := p.Service
	if v.Provider != by {
		return croft.E(croft.ErrTxRights, by.Short(), "it publishes a service of somebody else")
	}
	old, known := read[croft.Service](s, ServiceKey(v.ID()))
	if known && croft.HashOf(old) == croft.HashOf(v) {
		return nil
	}
	if v.Version != old.Version+1 {
		return croft.E(croft.ErrTxOrder, "this version does not follow the service's last one")
	}
	if err := s.checkService(v); err != nil {
		return err
	}
	a := s.account(by)
	if known && !old.Withdrawn {
		a.Offers--
	}
	if !v.Withdrawn {
		if a.Offers >= s.quota(by).services {
			return croft.E(croft.ErrTxService, "its provider has as many as it may; withdraw one first")
		}
		a.Offers++
	}
	write(s, AccountKey(by), a)
	if !known {
		n, _ := read[uint32](s, ServicesKey)
		write(s, ServiceAtKey(n), v.ID())
		write(s, ServicesKey, n+1)
	}
	write(s, ServiceKey(v.ID()), v)
	return nil
}

// checkService says whether a service may be offered as it is described.
func (s *State) checkService(v croft.Service) error {
	bad := func(why string) error { return croft.E(croft.ErrTxService, why) }
	p := v.Price
	switch {
	case CheckName(v.Name) != nil:
		return bad("its name must have 1 to 40 printable characters")
	case v.Task == "" || !printable(v.Task, 32) || strings.ContainsRune(v.Task, ' '):
		return bad("its task must be one word of at most 32 characters")
	case !printable(v.Description, 1000):
		return bad("its description must have at most 1000 printable characters")
	case p.Most > croft.MaxCredits || p.Call > p.Most || p.Input > p.Most || p.Output > p.Most || p.Second > p.Most:
		return bad("a part of its price is above the most that a call costs")
	case p.Quoted && (p.Call+p.Input+p.Output+p.Second > 0 || p.Most == 0 || !v.Model.IsZero()):
		return bad("a price by quote says the most that a call costs and nothing else, and is not for a study's model, which callers run")
	case len(v.Tills) == 0 || len(v.Tills) > maxTills:
		return bad("it needs from 1 to 16 tills")
	case !v.Use.Covers(croft.UseMembers) || v.Use == croft.UseMembers && v.Model.IsZero():
		return bad("who may use it is one of network, market, public; members is for the model of a study")
	}
	for i, till := range v.Tills {
		if till == (croft.PublicKey{}) || slices.Contains(v.Tills[:i], till) {
			return bad("a till has no key, or stands twice")
		}
	}
	if v.Model.IsZero() || v.Withdrawn { // who lost the right to a model may still withdraw it
		return nil
	}
	model, done := read[Model](s, ModelKey(v.Model))
	if !done {
		return croft.E(croft.ErrTxUnknown, "model of study", v.Model.Short())
	}
	if !model.Use.Covers(v.Use) || !s.entitled(v.Provider, v.Model, model) {
		return croft.E(croft.ErrUse, model.Use, v.Use, s.names(model.Cohort))
	}
	return nil
}

// entitled says whether the study lets somebody have its model.
func (s *State) entitled(id croft.MemberID, study croft.StudyID, m Model) bool {
	switch _, member := s.member(id); m.Use {
	case croft.UseMembers:
		st, _, err := s.study(study)
		return err == nil && (has(m.Cohort, id) || st.Proposer == id)
	case croft.UseNetwork:
		return member
	}
	return true
}

// calls says whether a service is for somebody.
func (s *State) calls(id croft.MemberID, v croft.Service) bool {
	switch _, member := s.member(id); v.Use {
	case croft.UseMembers:
		model, done := read[Model](s, ModelKey(v.Model))
		return done && s.entitled(id, v.Model, model)
	case croft.UseNetwork:
		return member
	}
	return true
}

// names lists members for people.
func (s *State) names(ids []croft.MemberID) string {
	var out []string
	for _, id := range ids {
		m, known := s.member(id)
		if !known {
			g, _ := read[Guest](s, GuestKey(id))
			m.Name = g.Name
		}
		out = append(out, m.Name)
	}
	return strings.Join(out, ", ")
}
