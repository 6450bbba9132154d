# A customer whose requests hang leaves two slots to the others, and where nothing is under way one.
> offer incoming c1 u1
> offer incoming c2 u3
> offer incoming c3 u4
> offer missed d1 u1 of=RES
> next
send c1/1/N1 incoming
send c2/1/N2 incoming
send c3/1/N3 incoming
send d1/1/N1 missed
> result c1/1/N1 retry late slot=30s
expired c1/1/N1 incoming: not delivered within 30s; after one attempt: trouble
> result c2/1/N2 retry late slot=30s
expired c2/1/N2 incoming: not delivered within 30s; after one attempt: trouble
> result c3/1/N3 retry late slot=30s
expired c3/1/N3 incoming: not delivered within 30s; after one attempt: trouble
> result d1/1/N1 deliver
delivered d1/1/N1 missed
> offer incoming c4 u1
> offer incoming c5 u3
> next
send c4/1/N1 incoming
due at 29s
> offer incoming d2 u1 of=RES
> next
send d2/1/N1 incoming
due at 29s
