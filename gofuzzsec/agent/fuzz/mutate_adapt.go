package fuzz

// The choice of operators follows Thompson sampling as Karamcheti, Mann and Rosenberg apply it to
// mutators ("Adaptive Grey-Box Fuzz-Testing with Thompson Sampling", AISec 2018): every operator has
// a posterior of how likely it takes part in a find, and the distribution to draw operators from is
// a sample of all posteriors, renewed now and then. Finds are rare, so instead of Beta over
// Bernoulli the posterior is its limit, Gamma over Poisson, around the group's mean. Counts are
// halved regularly, because what helps at first stops helping (discounted sampling: Raj and
// Kalyani, "Taming Non-stationary Bandits", 2017). The stack's size is one more choice made like
// this, after Wu et al. ("One Fuzzing Strategy to Rule Them All", ICSE 2022).

// Groups of operators; one draw chooses among the members of one group.
const (
	agGroupVariable = iota
	agGroupInteger
	agGroupFloat
	agGroupBool
	agGroupDepth
	agGroups
)

// agGroupOf is the group that mutates arguments of a class.
var agGroupOf = [...]uint8{
	agBytes: agGroupVariable, agString: agGroupVariable, agBool: agGroupBool,
	agSigned: agGroupInteger, agUnsigned: agGroupInteger, agFloat: agGroupFloat,
}

const (
	agOddsSlots  = 256     // of the table that one random byte indexes
	agRenewal    = 2048    // rewards between two samples of the posteriors
	agHalving    = 1 << 17 // rewards between two halvings of the counts
	agCreditMax  = 4       // deeper stacks say too little about each operator
	agPriorFinds = 4       // how many finds at the mean rate a posterior begins with
	agMostOdds   = 8       // bound of an operator's weight over its prior, and of the inverse
)

// agMutTally counts an operator's executions and those of them that found something.
type agMutTally struct{ uses, finds uint64 }

// agOpStat is what one operator did since the mutator was made.
type agOpStat struct {
	name        string
	uses, finds uint64
}

// agOdds decides which operators to draw. Invariant: every operator has a slot in the table of its
// group, and every slot of a group's table names one of its operators.
type agOdds struct {
	tables  [agGroups][agOddsSlots]uint8
	recent  [agOpCount]agMutTally // halved now and then; what the posteriors are made of
	total   [agOpCount]agMutTally
	rewards uint64
	rand    agRand // its own, so that learning does not shift the mutations' random numbers
}

// forget goes back to the prior weights.
func (o *agOdds) forget() {
	*o = agOdds{rand: newAgRand(1)}
	for group := range o.tables {
		var weights [agOpCount]float64
		for op := range agOps {
			if int(agOps[op].group) == group {
				weights[op] = float64(agOps[op].weight)
			}
		}
		agMutApportion(&o.tables[group], &weights)
	}
}

// reward says whether the execution of the last mutate found something. It may be left out for
// mutations that were not executed.
func (m *agMutator) reward(found bool) {
	o := &m.odds
	find := uint64(0)
	if found {
		find = 1
	}
	used := m.used
	if m.deep {
		used &= agDepthMask
	}
	for ; used != 0; used &= used - 1 {
		op := agMutLowest(used)
		o.recent[op].uses++
		o.recent[op].finds += find
		o.total[op].uses++
		o.total[op].finds += find
	}
	o.rewards++
	if o.rewards%agHalving == 0 {
		for op := range o.recent {
			o.recent[op].uses /= 2
			o.recent[op].finds /= 2
		}
	}
	if o.rewards%agRenewal == 0 {
		for group := range o.tables {
			o.renew(group)
		}
	}
}

// stats returns what every operator did since the mutator was made or last forgot. Executions with
// stacks deeper than agCreditMax count only for their stack's size.
func (m *agMutator) stats() []agOpStat {
	all := make([]agOpStat, 0, agOpCount)
	for op := range agOps {
		t := m.odds.total[op]
		all = append(all, agOpStat{agOps[op].name, t.uses, t.finds})
	}
	return all
}

// renew samples the posteriors of one group and makes its table from them.
func (o *agOdds) renew(group int) {
	var uses, finds float64
	for op := range agOps {
		if int(agOps[op].group) == group {
			uses += float64(o.recent[op].uses)
			finds += float64(o.recent[op].finds)
		}
	}
	if uses == 0 {
		return
	}
	var weights [agOpCount]float64
	for op := range agOps {
		if int(agOps[op].group) != group {
			continue
		}
		expected := float64(o.recent[op].uses) * finds / uses
		odds := o.gamma(agPriorFinds+float64(o.recent[op].finds)) / (agPriorFinds + expected)
		if odds > agMostOdds {
			odds = agMostOdds
		} else if odds < 1.0/agMostOdds {
			odds = 1.0 / agMostOdds
		}
		weights[op] = odds * float64(agOps[op].weight)
	}
	agMutApportion(&o.tables[group], &weights)
}

// gamma draws from the Gamma distribution of the given shape, at least agPriorFinds, and scale 1:
// the cube of a normal variable (Wilson and Hilferty 1931), itself a sum of four uniform ones.
func (o *agOdds) gamma(shape float64) float64 {
	r := o.rand.next()
	sum := float64(r&0xffff+r>>16&0xffff+r>>32&0xffff+r>>48) / 65536
	normal := (sum - 2) * 1.7320508075688772 // the sum's deviation is the root of a third
	side := 1 - 1/(9*shape) + normal/(3*agMutRoot(shape))
	return shape * side * side * side
}

// agMutRoot is the square root of x >= 1, by Newton's method.
func agMutRoot(x float64) float64 {
	root := 1.0
	for root*root < x {
		root *= 2
	}
	for i := 0; i < 6; i++ {
		root = (root + x/root) / 2
	}
	return root
}

// agMutApportion divides a table among the operators of positive weight: one slot each, the others in
// proportion to the weights.
func agMutApportion(table *[agOddsSlots]uint8, weights *[agOpCount]float64) {
	total, members := 0.0, 0
	for _, w := range weights {
		if w > 0 {
			total += w
			members++
		}
	}
	slot, passed, before := 0, 0.0, 0
	for op, w := range weights {
		if w <= 0 {
			continue
		}
		passed += w
		before++
		end := before + int(passed/total*float64(agOddsSlots-members)+0.5)
		if before == members {
			end = agOddsSlots
		}
		for ; slot < end; slot++ {
			table[slot] = uint8(op)
		}
	}
}
