# The call is over before the pop went out.
> offer incoming c1 u1
> offer ended c1 u1
superseded c1/1/N1 incoming: the call was over first
> next
superseded c1/2/N1 ended: the incoming call was never shown

# Missed is always sent.
> offer incoming c2 u1
> offer missed c2 u1 u3
superseded c2/1/N1 incoming: the call was over first
> next
send c2/2/N1 missed
send c2/2/N2 missed
> result c2/2/N1 deliver
delivered c2/2/N1 missed
> result c2/2/N2 deliver
delivered c2/2/N2 missed

# An attempt under way is not broken off. It succeeds: the end follows.
> offer incoming c3 u1
> next
send c3/1/N1 incoming
> offer ended c3 u1
> next
> result c3/1/N1 deliver
delivered c3/1/N1 incoming
> next
send c3/2/N1 ended
> result c3/2/N1 deliver
delivered c3/2/N1 ended

# It fails: it is not repeated, and there is no end to tell.
> offer incoming c4 u1
> next
send c4/1/N1 incoming
> offer ended c4 u1
> result c4/1/N1 retry wait=1s
superseded c4/1/N1 incoming: the call was over first
> next
superseded c4/2/N1 ended: the incoming call was never shown
