package fuzz

import "math/bits"

// agOp is one way to change an argument. apply changes argument i of in, which is of a class that
// the group serves, or returns false when it finds nothing to change; it adds no more bytes than
// m.room allows.
type agOp struct {
	name   string
	group  uint8
	weight uint8 // relative prior frequency within the group
	apply  func(m *agMutator, in *agInput, i int) bool
}

const (
	agOpCount   = 64                       // as many as agMutator.used has bits
	agDepthArm  = agOpCount - 6            // the first of the stack's sizes in agOps
	agDepthMask = (1<<6 - 1) << agDepthArm // their bits in agMutator.used
)

// agOps holds every operator; its index is its identity.
var agOps = [agOpCount]agOp{
	{"flip bit", agGroupVariable, 5, (*agMutator).flipBit},
	{"random byte", agGroupVariable, 5, (*agMutator).randomByte},
	{"add to byte", agGroupVariable, 4, (*agMutator).addByte},
	{"add to 16 bits", agGroupVariable, 2, (*agMutator).addWord16},
	{"add to 32 bits", agGroupVariable, 2, (*agMutator).addWord32},
	{"add to 64 bits", agGroupVariable, 1, (*agMutator).addWord64},
	{"interesting byte", agGroupVariable, 4, (*agMutator).interestingByte},
	{"interesting 16 bits", agGroupVariable, 2, (*agMutator).interestingWord16},
	{"interesting 32 bits", agGroupVariable, 2, (*agMutator).interestingWord32},
	{"interesting 64 bits", agGroupVariable, 1, (*agMutator).interestingWord64},
	{"swap bytes", agGroupVariable, 2, (*agMutator).swapBytes},
	{"swap ranges", agGroupVariable, 2, (*agMutator).swapRanges},
	{"overwrite with one byte", agGroupVariable, 2, (*agMutator).overwriteConstant},
	{"overwrite with random bytes", agGroupVariable, 2, (*agMutator).overwriteRandom},
	{"copy range over another", agGroupVariable, 4, (*agMutator).copyWithin},
	{"copy range elsewhere", agGroupVariable, 4, (*agMutator).insertCopy},
	{"insert random bytes", agGroupVariable, 3, (*agMutator).insertRandom},
	{"insert one byte repeated", agGroupVariable, 3, (*agMutator).insertConstant},
	{"repeat block", agGroupVariable, 2, (*agMutator).repeatBlock},
	{"remove range", agGroupVariable, 10, (*agMutator).removeRange},
	{"truncate", agGroupVariable, 3, (*agMutator).truncate},
	{"append", agGroupVariable, 2, (*agMutator).appendTail},
	{"insert from partner", agGroupVariable, 4, (*agMutator).partnerInsert},
	{"overwrite from partner", agGroupVariable, 4, (*agMutator).partnerOverwrite},
	{"cross with partner", agGroupVariable, 2, (*agMutator).partnerCross},
	{"piece from partner", agGroupVariable, 4, (*agMutator).partnerPiece},
	{"word from partner", agGroupVariable, 6, (*agMutator).partnerWord},
	{"remove piece", agGroupVariable, 4, (*agMutator).removePiece},
	{"repeat piece", agGroupVariable, 3, (*agMutator).repeatPiece},
	{"wrap piece", agGroupVariable, 2, (*agMutator).wrapPiece},
	{"insert token", agGroupVariable, 6, (*agMutator).insertToken},
	{"overwrite with token", agGroupVariable, 6, (*agMutator).overwriteToken},
	{"change number", agGroupVariable, 4, (*agMutator).changeNumber},
	{"insert number", agGroupVariable, 2, (*agMutator).insertNumber},
	{"valid rune", agGroupVariable, 2, (*agMutator).validRune},
	{"malformed rune", agGroupVariable, 2, (*agMutator).malformedRune},
	{"change case", agGroupVariable, 2, (*agMutator).changeCase},

	{"integer: add", agGroupInteger, 5, (*agMutator).integerAdd},
	{"integer: flip bits", agGroupInteger, 3, (*agMutator).integerFlip},
	{"integer: interesting", agGroupInteger, 5, (*agMutator).integerInteresting},
	{"integer: negate", agGroupInteger, 2, (*agMutator).integerNegate},
	{"integer: scale", agGroupInteger, 2, (*agMutator).integerScale},
	{"integer: small", agGroupInteger, 4, (*agMutator).integerSmall},
	{"integer: random", agGroupInteger, 3, (*agMutator).integerRandom},
	{"integer: of another input", agGroupInteger, 2, (*agMutator).scalarBorrow},
	{"integer: token", agGroupInteger, 4, (*agMutator).scalarToken},

	{"float: add", agGroupFloat, 4, (*agMutator).floatAdd},
	{"float: step", agGroupFloat, 3, (*agMutator).floatStep},
	{"float: flip bits", agGroupFloat, 2, (*agMutator).integerFlip},
	{"float: interesting", agGroupFloat, 5, (*agMutator).floatInteresting},
	{"float: NaN", agGroupFloat, 2, (*agMutator).floatNaN},
	{"float: subnormal", agGroupFloat, 1, (*agMutator).floatSubnormal},
	{"float: scale", agGroupFloat, 3, (*agMutator).floatScale},
	{"float: integer", agGroupFloat, 4, (*agMutator).floatInteger},
	{"float: of another input", agGroupFloat, 2, (*agMutator).scalarBorrow},
	{"float: token", agGroupFloat, 3, (*agMutator).scalarToken},
	{"float: round", agGroupFloat, 2, (*agMutator).floatRound},

	{"bool: flip", agGroupBool, 1, (*agMutator).boolFlip},

	{"stack of 1", agGroupDepth, 200, nil},
	{"stack of 2", agGroupDepth, 70, nil},
	{"stack of 3 to 4", agGroupDepth, 30, nil},
	{"stack of 5 to 8", agGroupDepth, 12, nil},
	{"stack of 9 to 16", agGroupDepth, 5, nil},
	{"stack of 17 to 64", agGroupDepth, 1, nil},
}

// agMutLowest is the number of the lowest bit set; set is not 0.
func agMutLowest(set uint64) int { return bits.TrailingZeros64(set) }
