# No answer came in time, and meanwhile the call ended: the pop may be on the screen, so its end is told.
> offer incoming c1 u1
> next
send c1/1/N1 incoming
> at 8s
> offer ended c1 u1
> at 10s
> result c1/1/N1 retry wait=500ms perhaps
superseded c1/1/N1 incoming: the call was over first
> next
send c1/2/N1 ended
> result c1/2/N1 deliver
delivered c1/2/N1 ended

# Likewise if somebody else answered before it was tried again.
> at 0s
> offer incoming c2 u1
> next
send c2/1/N1 incoming
> result c2/1/N1 retry wait=500ms perhaps
> offer answered c2 by=u3 u1
superseded c2/1/N1 incoming: somebody else answered first
> next
send c2/2/N1 answered
> result c2/2/N1 deliver
delivered c2/2/N1 answered
> offer ended c2 by=u3 u1
> next
send c2/3/N1 ended
> result c2/3/N1 deliver
delivered c2/3/N1 ended

# One life's doubt is not the next one's.
> offer incoming c2 u1
> offer ended c2 u1
superseded c2/4/N1 incoming: the call was over first
> next
superseded c2/5/N1 ended: the incoming call was never shown

# It is remembered over a restart; a certain failure afterwards changes nothing.
> offer incoming c3 u1
> next
send c3/1/N1 incoming
> result c3/1/N1 retry wait=500ms perhaps
> restart
> at 1s
> next
send c3/1/N1 incoming
> result c3/1/N1 reject
rejected c3/1/N1 incoming: trouble
> offer ended c3 u1
> next
send c3/2/N1 ended
> result c3/2/N1 deliver
delivered c3/2/N1 ended

# What is under way when the state is saved may be shown too.
> offer incoming c4 u1
> next
send c4/1/N1 incoming
> restart
> offer ended c4 u1
superseded c4/1/N1 incoming: the call was over first
> next
send c4/2/N1 ended
> result c4/2/N1 deliver
delivered c4/2/N1 ended

# In doubt, another user of the negotiator brings the pop again.
> offer incoming c5 u1
> next
send c5/1/N1 incoming
> result c5/1/N1 reject perhaps
rejected c5/1/N1 incoming: trouble
> offer incoming c5 u2
> next
send c5/2/N1 incoming
> result c5/2/N1 deliver
delivered c5/2/N1 incoming

# The own answer was perhaps shown: its end follows.
> offer incoming c6 u1 ago=31s
> offer answered c6 by=u1 u1
> next
expired c6/1/N1 incoming: not delivered within 30s
send c6/2/N1 answered
> result c6/2/N1 bury perhaps
dead c6/2/N1 answered: trouble
> offer ended c6 by=u1 u1
> next
send c6/3/N1 ended
> result c6/3/N1 deliver
delivered c6/3/N1 ended
