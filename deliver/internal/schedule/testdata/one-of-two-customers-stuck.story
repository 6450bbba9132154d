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

# One negotiator's hanging requests are no misfortune of the customer's others.
> at 2m
> result c4/1/N1 deliver
delivered c4/1/N1 incoming
> result d2/1/N1 deliver
delivered d2/1/N1 incoming
> offer incoming c6 u1
> offer incoming c7 u1
> offer incoming d3 u3 of=RES
> next
expired c5/1/N2 incoming: not delivered within 30s
send c6/1/N1 incoming
send d3/1/N2 incoming
send c7/1/N1 incoming
> at 3m
> offer incoming c8 u3
> offer incoming c9 u4
> next
send c8/1/N2 incoming
send c9/1/N3 incoming
