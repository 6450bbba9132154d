# Everybody's pop, then the answer: who was shown the call is told who took it.
> offer incoming c1 u1 u3 u4
> next
send c1/1/N1 incoming
send c1/1/N2 incoming
send c1/1/N3 incoming
> result c1/1/N1 deliver
delivered c1/1/N1 incoming
> result c1/1/N2 deliver
delivered c1/1/N2 incoming
> result c1/1/N3 retry wait=500ms

# N3's pop is not out yet when N2 answers: it is not shown any more, nor who answered, nor the end.
> offer answered c1 by=u3 u1 u3 u4
superseded c1/1/N3 incoming: somebody else answered first
> next
superseded c1/2/N3 answered: the incoming call was never shown
send c1/2/N1 answered
send c1/2/N2 answered
> result c1/2/N1 deliver
delivered c1/2/N1 answered
> result c1/2/N2 deliver
delivered c1/2/N2 answered
> offer ended c1 by=u3 u1 u3 u4
> next
superseded c1/3/N3 ended: the incoming call was never shown
send c1/3/N1 ended
send c1/3/N2 ended
> result c1/3/N1 deliver
delivered c1/3/N1 ended
> result c1/3/N2 deliver
delivered c1/3/N2 ended
> next
