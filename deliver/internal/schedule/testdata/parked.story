# The customer is refused: everything waits, one probe at a time goes out, ever more slowly, for ever.
> offer incoming c1 u1 u3
> next
send c1/1/N1 incoming
send c1/1/N2 incoming
> result c1/1/N1 park
> result c1/1/N2 park
> offer missed c2 u1
> next
due at 15s
> at 15s
> next
send c1/1/N1 incoming
due at 29s
> result c1/1/N1 park
> at 40s
> next
expired c1/1/N1 incoming: not delivered within 30s; after 2 attempts: trouble
expired c1/1/N2 incoming: not delivered within 30s; after one attempt: trouble
due at 45s
> at 45s
> next
send c2/1/N1 missed
> result c2/1/N1 deliver
delivered c2/1/N1 missed
> next
