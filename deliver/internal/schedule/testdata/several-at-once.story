# One request for all who are due; of those who are not sent there is none.
> group
> offer incoming c1 u1 u3 u4 u5
unmapped c1/1/user-u5 incoming: not known
> next
send c1/1/N1 incoming
with c1/1/N2 incoming
with c1/1/N3 incoming
> result c1/1/N1 deliver
delivered c1/1/N1 incoming
delivered c1/1/N2 incoming
delivered c1/1/N3 incoming
> offer answered c1 by=u3 u1 u3 u4
> next
send c1/2/N1 answered
with c1/2/N2 answered
with c1/2/N3 answered

# One of them is refused: then each goes by himself, at once, and it is no retry.
> result c1/2/N1 split
> next
send c1/2/N1 answered
send c1/2/N2 answered
send c1/2/N3 answered
> result c1/2/N1 deliver
delivered c1/2/N1 answered
> result c1/2/N2 reject
rejected c1/2/N2 answered: trouble
> result c1/2/N3 deliver
delivered c1/2/N3 answered
> offer ended c1 by=u3 u1 u3 u4
> next
send c1/3/N1 ended
with c1/3/N2 ended
with c1/3/N3 ended
> result c1/3/N1 deliver
delivered c1/3/N1 ended
delivered c1/3/N2 ended
delivered c1/3/N3 ended

# What fails together is tried again together.
> offer incoming c2 u1 u3
> next
send c2/1/N1 incoming
with c2/1/N2 incoming
> result c2/1/N1 retry wait=500ms
> next
due at 500ms
> at 500ms
> next
send c2/1/N1 incoming
with c2/1/N2 incoming
> offer missed c2 u1 u3
> result c2/1/N1 retry wait=500ms
superseded c2/1/N1 incoming: the call was over first
superseded c2/1/N2 incoming: the call was over first
> next
send c2/2/N1 missed
with c2/2/N2 missed
